/** Frames from one host to another are dropped, not those of the way back. */
export interface Cut {
  readonly from: Wire
  readonly to: Wire
}

/** How a host is known to the switch. */
export interface Wire {
  /** The switch's port. */
  readonly port: string
  /** The host's address, by which the router between two segments knows it. */
  readonly address: string
}

/**
 * Input of `nft -f -` in the switch's namespace: exactly these cuts and no others, replaced in one
 * transaction. Bridged frames, ARP included, are told by their ports, routed packets by their addresses.
 */
export function cutRules(cuts: readonly Cut[]): string {
  const ports = cuts.map(({ from, to }) => `"${from.port}" . "${to.port}"`)
  const addresses = cuts.map(({ from, to }) => `${from.address} . ${to.address}`)
  const protocol = cuts.some(({ from }) => from.address.includes(':')) ? 'ip6' : 'ip'
  return [
    ...table('bridge', 'iifname . oifname', ports),
    ...table('inet', `${protocol} saddr . ${protocol} daddr`, addresses),
  ].join('\n')
}

function table(family: string, selector: string, pairs: readonly string[]): string[] {
  const rule = pairs.length === 0 ? [] : [`${selector} { ${pairs.join(', ')} } drop`]
  return [
    // Adding what may be there already makes deleting it always right.
    `table ${family} lab`,
    `delete table ${family} lab`,
    `table ${family} lab {`,
    'chain forward {',
    'type filter hook forward priority 0; policy accept;',
    ...rule,
    '}',
    '}',
  ]
}

import type { MemberNode } from './member-world.ts'

export const EIGHT: readonly string[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

export function others(nodes: readonly MemberNode[], ...but: readonly MemberNode[]): MemberNode[] {
  return nodes.filter((node) => !but.includes(node))
}

export function all(nodes: readonly MemberNode[], name: string, verdict: string | undefined): boolean {
  return nodes.every((node) => node.verdict(name) === verdict)
}

export function sum(nodes: readonly MemberNode[], count: string): number {
  return nodes.reduce((total, { membership }) => total + membership.counts[count]!, 0)
}

export function equalDigests(nodes: readonly MemberNode[]): boolean {
  const digests = nodes.map(({ membership }) => JSON.stringify(membership.members.digest()))
  return new Set(digests).size === 1
}

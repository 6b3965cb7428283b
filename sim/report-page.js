// The script of the page that `--report` writes: draws what `#data` holds. Runs in a browser; uPlot is there already.

const data = JSON.parse(document.querySelector('#data').textContent)
const { report, recording, strips } = data

const COLOURS = {
  alive: '#35a07f',
  suspect: '#eda821',
  failed: '#b2182b',
  left: '#8e99a8',
  unknown: '#eef1f4',
}
const LINES = ['#0b6fb3', '#d1661a', '#35a07f', '#8f5bb5']
const SOFT = '#5d6875'
const GRID = { stroke: '#e8ebef', width: 1 }

const seconds = recording.atMs.map((ms) => ms / 1000)

/** An element with text and children; nothing of a run ever becomes markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

function ms(value) {
  if (value === null || value === undefined) return '–'
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`
}

function bytes(value) {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(1))} MB`
  return value >= 1000 ? `${Number((value / 1000).toFixed(1))} kB` : `${value.toFixed(0)} B`
}

/* The head: what ran, and what came out. */

function tile(value, label, bad = false) {
  return element(
    'div',
    { class: bad ? 'tile bad' : 'tile' },
    element('b', {}, value),
    element('span', {}, label),
  )
}

function head() {
  const { detection, convergence, traffic, falsePositives, invariants } = report
  const tiles = [
    tile(
      `${(report.virtualMs / 1000).toFixed(1)} s`,
      `virtual time, in ${(report.wallMs / 1000).toFixed(1)} s: ${report.speedup.toFixed(1)} times as fast`,
    ),
  ]
  if (report.join.everyoneMs !== null)
    tiles.push(tile(ms(report.join.everyoneMs), 'until everyone knew everyone'))
  if (detection.firstMs !== null) {
    tiles.push(
      tile(ms(detection.firstMs.p50), `median crash to first survivor; worst ${ms(detection.firstMs.max)}`),
      tile(
        ms(detection.everyoneMs?.p50),
        `median crash to last survivor; worst ${ms(detection.everyoneMs?.max)}`,
      ),
    )
  }
  if (convergence.everyoneMs !== null) {
    tiles.push(
      tile(
        ms(convergence.everyoneMs.p50),
        `median to reach everyone; worst ${ms(convergence.everyoneMs.max)}`,
      ),
    )
  }
  if (traffic !== null) {
    tiles.push(
      tile(
        bytes(traffic.bytesPerNodePerSecond + traffic.streamBytesPerNodePerSecond),
        `a node a second; ${traffic.packetsPerNodePerSecond.toFixed(1)} packets`,
      ),
    )
  }
  if (falsePositives !== null) {
    const { healthy, anomalous, suspicions } = falsePositives
    tiles.push(
      tile(
        String(healthy),
        `false verdicts on healthy nodes; ${anomalous} on impaired ones; ${suspicions} suspicions`,
        healthy > 0,
      ),
    )
  }
  const violated = invariants.violations.length
  tiles.push(
    tile(
      violated === 0 ? 'hold' : String(violated),
      `${invariants.checked} invariants checked`,
      violated > 0,
    ),
  )
  document
    .querySelector('#head')
    .append(
      element('h1', {}, `${report.scenario}: ${report.nodes} nodes, seed ${report.seed}`),
      element('p', {}, data.docs),
      element('code', {}, data.command),
      element('div', { class: 'tiles' }, ...tiles),
    )
  if (violated > 0) {
    const items = invariants.violations.map((sentence) => element('li', {}, sentence))
    const box = element(
      'section',
      { class: 'violations' },
      element('h2', {}, 'Violated'),
      element('ul', {}, ...items),
    )
    document.querySelector('#head').append(box)
  }
}

/* Charts. */

function panel(title, text, wide = false) {
  const made = element(
    'section',
    wide ? { class: 'wide' } : {},
    element('h2', {}, title),
    element('p', {}, text),
  )
  document.querySelector('#charts').append(made)
  return made
}

function missing(parent, text) {
  parent.append(element('div', { class: 'missing' }, text))
}

/** Thin lines where a step of the story began. */
function stepLines(plot) {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = '#b9c1cb'
  ctx.setLineDash([3, 4])
  for (const { atMs } of data.steps) {
    const x = Math.round(plot.valToPos(atMs / 1000, 'x', true))
    if (x <= bbox.left || x >= bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}

const plots = []

function plot(parent, options, columns) {
  const width = () => parent.clientWidth - 28
  const made = new uPlot({ width: width(), height: 250, ...options }, columns, parent)
  plots.push(() => made.setSize({ width: width(), height: 250 }))
}

function axes(xValues, yValues, ySize = 60, ySplits = undefined) {
  return [
    { stroke: SOFT, grid: GRID, ticks: GRID, values: (_, all) => all.map(xValues) },
    {
      stroke: SOFT,
      grid: GRID,
      ticks: GRID,
      size: ySize,
      ...(ySplits !== undefined && { splits: () => ySplits, filter: (_, all) => all }),
      values: (_, all) => all.map((v) => (v === null ? '' : yValues(v))),
    },
  ]
}

function overTime(parent, series, yValues, yScale, ySplits) {
  plot(
    parent,
    {
      cursor: { sync: { key: 'time' } },
      scales: { x: { time: false }, y: yScale },
      axes: axes((s) => `${s} s`, yValues, 80, ySplits),
      hooks: { drawClear: [stepLines] },
      series: [
        { label: 'virtual time', value: (_, s) => (s === null ? '–' : `${s.toFixed(2)} s`) },
        ...series.map(({ label }, i) => ({
          label,
          stroke: LINES[i],
          width: 1.5,
          points: { show: false },
          value: (_, v) => (v === null ? '–' : yValues(v)),
        })),
      ],
    },
    [seconds, ...series.map(({ values }) => values)],
  )
}

/** Shares of sets of times; each set is a list of [ms, how often]. */
function shares(parent, sets) {
  const tables = sets.map(({ times }) => {
    const whole = times.reduce((sum, [, count]) => sum + count, 0)
    let soFar = 0
    const xs = [0]
    const ys = [0]
    for (const [at, count] of times) {
      soFar += count
      if (at === xs.at(-1)) {
        xs.pop()
        ys.pop()
      }
      xs.push(at)
      ys.push((100 * soFar) / whole)
    }
    return [xs, ys]
  })
  const joined = uPlot.join(tables)
  for (const column of joined.slice(1)) {
    // The others have no step there: they stay where they are.
    for (let i = 1; i < column.length; i++) column[i] ??= column[i - 1]
  }
  const last = joined[0].at(-1)
  plot(
    parent,
    {
      scales: { x: { time: false, range: [0, Math.max(1, last * 1.05)] }, y: { range: [0, 103] } },
      axes: axes(ms, (v) => `${v} %`),
      series: [
        { label: 'within', value: (_, v) => ms(v) },
        ...sets.map(({ label }, i) => ({
          label,
          stroke: LINES[i],
          width: 2,
          paths: uPlot.paths.stepped({ align: 1 }),
          points: { show: false },
          value: (_, v) => (v === null || v === undefined ? '–' : `${v.toFixed(0)} %`),
        })),
      ],
    },
    joined,
  )
}

function detection() {
  const { first, each, everyone } = data.detection
  const parent = panel(
    'Detection times',
    'Share of all crashes that their first and last survivor noticed within a time; and of all survivors.',
  )
  const sets = [
    { label: 'first survivor', times: first },
    { label: 'each survivor', times: each },
    { label: 'last survivor', times: everyone },
  ].filter(({ times }) => times.length > 0)
  if (sets.length > 0) shares(parent, sets)
  else missing(parent, report.detection.crashes > 0 ? 'No crash was noticed.' : 'Nobody crashes in this run.')
}

function agreement() {
  const parent = panel(
    'Convergence of membership over time',
    'Share of all pairs in which a node is right about another: up if it runs, not up if it does not. Dashed: steps of the story.',
  )
  const { agreement: share } = recording
  const lowest = share.slice(1).reduce((low, value) => Math.min(low, value), 1)
  overTime(
    parent,
    [{ label: 'right', values: share.map((value) => 100 * value) }],
    (v) => (v > 100 ? '' : `${Number(v.toFixed(2))} %`),
    { range: [Math.max(0, 100 * lowest - 5), 102] },
  )
}

function convergence() {
  const parent = panel(
    'Times of convergence',
    'Share of what was to reach everyone (entries, or nodes after a partition) that had, within a time.',
  )
  if (data.convergence.length > 0)
    shares(parent, [{ label: 'had reached everyone', times: data.convergence }])
  else missing(parent, 'Not measured in this scenario.')
}

function traffic() {
  const parent = panel(
    'Traffic per node over time',
    'Payload that a node sends each second: mean of those that run, and the busiest one. Like a logarithm above 100 B.',
  )
  const most = recording.busiest.reduce((high, value) => Math.max(high, value), 100)
  overTime(
    parent,
    [
      { label: 'packets', values: recording.bytes },
      { label: 'streams', values: recording.streamBytes },
      { label: 'busiest node', values: recording.busiest },
    ],
    (v) => `${bytes(v)}/s`,
    { distr: 4, asinh: 100, range: [0, most * 1.2] },
    [0, ...[1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].filter((tick) => tick < most * 1.2)],
  )
}

/* Who saw whom as what: a strip for each subject. */

const LABELS_PX = 110
const AXIS_PX = 24

function rowHeight(rows) {
  if (rows <= 24) return 18
  return rows <= 60 ? 13 : 7
}

/** What the strip says at a sample: counts as in `COLUMNS` of the recorder. */
function at(strip, sample) {
  const { runs } = strip
  let left = sample
  for (let i = 0; i < runs.length; i += 5) {
    left -= runs[i]
    if (left < 0) return runs.slice(i + 1, i + 5)
  }
  return [0, 0, 0, 0]
}

function paintStrip(ctx, strip, top, height, x) {
  let sample = 0
  for (let i = 0; i < strip.runs.length; i += 5) {
    const [length, alive, suspect, failed, left] = strip.runs.slice(i, i + 5)
    // How many could see it may change within a run: then its parts differ.
    for (let end = sample + length; sample < end; ) {
      const live = recording.live[sample]
      let next = sample + 1
      while (next < end && recording.live[next] === live) next++
      const others = Math.max(1, live - 1)
      const from = Math.floor(x(seconds[Math.max(0, sample - 1)]))
      const width = Math.max(1, Math.ceil(x(seconds[next - 1])) - from)
      let y = top
      const stack = [
        [failed, 'failed'],
        [suspect, 'suspect'],
        [left, 'left'],
        [alive, 'alive'],
      ]
      for (const [count, name] of stack) {
        if (count === 0) continue
        const thick = Math.min(top + height - y, Math.max(2, (height * count) / others))
        ctx.fillStyle = COLOURS[name]
        ctx.fillRect(from, y, width, thick)
        y += thick
      }
      sample = next
    }
  }
}

function paintAxis(ctx, x, bottom, width, last) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200].find(
    (candidate) => x(candidate) - x(0) > 70,
  )
  ctx.fillStyle = SOFT
  ctx.strokeStyle = '#b9c1cb'
  ctx.textAlign = 'center'
  for (let s = 0; s <= last; s += step ?? 36_000) {
    const label = `${Number(s.toFixed(1))} s`
    ctx.fillText(label, Math.min(x(s), width - 20), bottom + 16)
    ctx.beginPath()
    ctx.moveTo(x(s), bottom)
    ctx.lineTo(x(s), bottom + 4)
    ctx.stroke()
  }
}

function timeline() {
  const shown = strips.length
  const parent = panel(
    'Who saw whom as what',
    `For each node, what share of the others that run takes it for what, most of each interval. ${
      data.stripsOmitted > 0
        ? `Shown are the ${shown} that most happened to; ${data.stripsOmitted} are left out. `
        : ''
    }Click a strip for the verdicts on it, one by one.`,
    true,
  )
  const legend = Object.entries(COLOURS).map(([name, colour]) =>
    element(
      'span',
      {},
      element('i', { style: `background:${colour}` }),
      name === 'unknown' ? 'not known' : name,
    ),
  )
  const read = element('div', { class: 'read' })
  const canvas = element('canvas')
  const verdicts = element('div')
  parent.append(
    element('div', { class: 'legend' }, ...legend),
    element('div', { class: 'strips' }, canvas),
    read,
    verdicts,
  )
  const row = rowHeight(shown)
  const gap = row > 10 ? 3 : 1
  const last = seconds.at(-1)
  const width = () => parent.clientWidth - 28
  const x = (s) => LABELS_PX + ((width() - LABELS_PX) * s) / last

  const paint = () => {
    const height = shown * row + AXIS_PX
    canvas.width = width() * devicePixelRatio
    canvas.height = height * devicePixelRatio
    canvas.style.width = `${width()}px`
    canvas.style.height = `${height}px`
    const ctx = canvas.getContext('2d')
    ctx.scale(devicePixelRatio, devicePixelRatio)
    ctx.font = '11px system-ui, sans-serif'
    for (const [i, strip] of strips.entries()) {
      const top = i * row
      ctx.fillStyle = COLOURS.unknown
      ctx.fillRect(LABELS_PX, top, width() - LABELS_PX, row - gap)
      paintStrip(ctx, strip, top, row - gap, x)
      if (row < 12 && i % 2 === 1) continue
      ctx.fillStyle = SOFT
      ctx.textAlign = 'right'
      ctx.fillText(strip.name, LABELS_PX - 8, top + row / 2 + 3)
    }
    paintAxis(ctx, x, shown * row, width(), last)
  }

  const under = (event) => {
    const strip = strips[Math.floor(event.offsetY / row)]
    const s = ((event.offsetX - LABELS_PX) / (width() - LABELS_PX)) * last
    if (strip === undefined || s < 0) return undefined
    const found = seconds.findIndex((second) => second >= s)
    return { strip, sample: found < 0 ? seconds.length - 1 : found }
  }
  canvas.addEventListener('mousemove', (event) => {
    const hit = under(event)
    if (hit === undefined) return
    const [alive, suspect, failed, left] = at(hit.strip, hit.sample)
    read.textContent =
      `${hit.strip.name} at ${seconds[hit.sample].toFixed(2)} s, ${recording.live[hit.sample]} nodes running: ` +
      `alive at ${alive}, suspect at up to ${suspect}, failed at up to ${failed}, left at ${left}`
  })
  const select = (strip) => {
    const of = data.verdicts.filter(([, , subject]) => subject === strip.index)
    const items = of.map(([atMs, observer, , view]) =>
      element(
        'li',
        {},
        `${(atMs / 1000).toFixed(3)} s  ${data.names[observer]}: `,
        element('b', { style: `color:${view === 'alive' ? '#1d7a5d' : COLOURS[view]}` }, view),
      ),
    )
    verdicts.replaceChildren(
      element(
        'h2',
        {},
        `Verdicts on ${strip.name}${items.length === 0 ? ': none' : ', by who changed their mind'}`,
      ),
      element('ul', { class: 'verdicts' }, ...items),
    )
    if (data.verdictsDropped > 0) {
      const text = `${data.verdictsDropped} verdicts of this run were not kept: the first 120 of each node are, 20,000 in all.`
      verdicts.append(element('p', {}, text))
    }
  }
  canvas.addEventListener('click', (event) => {
    const hit = under(event)
    if (hit !== undefined) select(hit.strip)
  })
  paint()
  plots.push(paint)
  const told = new Set(data.verdicts.map(([, , subject]) => subject))
  const first = strips.find(({ index }) => told.has(index))
  if (first !== undefined) select(first)
}

/* Everything else, in tables. */

function table(title, headings, rows) {
  const line = (cells, tag) =>
    element(
      'tr',
      {},
      ...cells.map((cell) => element(tag, typeof cell === 'number' ? { class: 'number' } : {}, String(cell))),
    )
  return element(
    'section',
    {},
    element('h2', {}, title),
    element('table', {}, line(headings, 'th'), ...rows.map((cells) => line(cells, 'td'))),
  )
}

function details() {
  const tables = [
    table(
      'Steps of the story',
      ['step', 'virtual s', 'real s'],
      report.steps.map(({ name, virtualMs, wallMs }) => [
        name,
        Number((virtualMs / 1000).toFixed(2)),
        Number((wallMs / 1000).toFixed(2)),
      ]),
    ),
    table('Parameters', ['name', 'value'], Object.entries(report.parameters)),
    table(
      'The run',
      ['', ''],
      [
        ['trace hash', report.traceHash],
        ['events', report.events],
        ['peak memory, MB', Math.round(report.peakRssMb)],
        ['packets dropped by full buffers', report.traffic?.packetsOverflowed ?? '–'],
        ...Object.entries(report.warnings).map(([code, count]) => [`warnings ${code}`, count]),
      ],
    ),
  ]
  document.querySelector('#details').append(...tables)
}

head()
detection()
agreement()
traffic()
convergence()
timeline()
details()
addEventListener('resize', () => {
  for (const resize of plots) resize()
})

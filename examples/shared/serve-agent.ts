import { type JsonRequest, JsonServer } from './json-server.ts'

/**
 * Runs an agent behind a control socket, which is claimed first of all: that is where a second agent of one
 * host is found out. Requests that come while the agent is still starting wait for it; those that are under
 * way when it ends are answered.
 */
export async function serveAgent<Agent>(
  socketPath: string,
  options: {
    readonly start: () => Promise<Agent>
    readonly answer: (agent: Agent, request: JsonRequest) => Promise<unknown>
    /** Resolves when it has ended. */
    readonly run: (agent: Agent) => Promise<void>
  },
): Promise<void> {
  let begin: (agent: Promise<Agent>) => void = () => {}
  const beginning = new Promise<Agent>((resolve) => {
    begin = resolve
  })
  // Perhaps nobody asks.
  beginning.catch(() => {})
  const server = await JsonServer.listen(socketPath, async (request) =>
    options.answer(await beginning, request),
  )
  try {
    const starting = options.start()
    begin(starting)
    await options.run(await starting)
  } finally {
    await server.close()
  }
}

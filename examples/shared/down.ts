import { ApiError } from './api-error.ts'

/** What a command answers: for machines, and the same for a reader. */
export interface Answered {
  readonly answer: unknown
  readonly text: string
}

/** Has the running agent go down; where there is none, removes what it left, told in words. */
export async function downOrTidy(
  down: () => Promise<unknown>,
  removeLeftovers: () => Promise<readonly string[]>,
): Promise<Answered> {
  try {
    await down()
    return { answer: { agent: true, removed: [] }, text: 'the agent has left' }
  } catch (error) {
    const isNobodyThere = error instanceof ApiError && error.code === 'ERR_NO_AGENT'
    if (!isNobodyThere) throw error
    const removed = await removeLeftovers()
    return { answer: { agent: false, removed }, text: ['no agent was running', ...removed].join('\n') }
  }
}

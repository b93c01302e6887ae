import type { AccountId, EnvironmentId } from '../../domain/ids.ts'

/** An image of the engine that goes to the registry. */
export interface PushedImage {
  readonly environment: EnvironmentId
  /** Whose it is. Absent: anybody's who describes the same. */
  readonly accountId?: AccountId
  /** Its id. */
  readonly image: string
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

/** The registry that images go to. Which one, how things are called there and who is let in is for others to know. */
export interface Push {
  /**
   * Pushes an image and answers how the store is to name it: `owner/name@sha256:…`, without the host of the registry.
   * Rejects with `build_failed` and the registry's words.
   */
  push(image: PushedImage): Promise<string>
  /**
   * Pushes what an image goes on that is still being made, so that pushing that one takes less. The engine has no other name
   * for it afterwards.
   */
  ahead(image: PushedImage): Promise<void>
  /** How the engine names it now, by which it finds or pulls it. */
  referenceOf(stored: string): string
  /** Takes its names away from the engine. It is for the registry to know when nothing needs it there. */
  forget(stored: string): Promise<void>
  /** Whether the registry still has it. */
  has(stored: string): Promise<boolean>
}

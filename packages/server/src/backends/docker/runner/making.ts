/** Who waits for a container to be made, and is told how far it is. */
export interface Making {
  readonly signal: AbortSignal
  /** Called when its image is not there, and is pulled. */
  readonly onPulling: () => void
  /** Told what people are to read of it. */
  readonly say: (text: string) => void
}

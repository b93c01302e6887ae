/** What is now true, as a sentence for people and as a value for machines. */
export interface Said {
  readonly text: string
  readonly json: unknown
}

/** The one printer: `--json` prints the value, everything else the sentence. */
export function print({ text, json }: Said, options: { json?: boolean }): void {
  console.log(options.json === true ? JSON.stringify(json, null, 2) : text)
}

/** Whether a command ended because somebody pressed Ctrl-C. */
export function isInterruption(error: unknown): boolean {
  return error instanceof Error && error.name === 'Interruption'
}

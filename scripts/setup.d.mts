/** One sentence that says what is missing and the command that repairs it, or undefined. */
export function complaint(nodeVersion: string, askPython: (program: string) => string): string | undefined

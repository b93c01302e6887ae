/** The answers of a run: each a figure or a ratio, beside the goal it is held against. */
export class Report {
  readonly #rows: { question: string; answer: string; goal: string; met: string }[] = []

  /** A number that should be at most, or at least, its goal. */
  add(question: string, answer: number, goal?: { atMost?: number; atLeast?: number }, unit = ''): void {
    const met = goal === undefined ? '' : holds(answer, goal) ? 'yes' : `no, off by ${missing(answer, goal)}`
    this.#rows.push({ question, answer: `${round(answer)}${unit}`, goal: shown(goal, unit), met })
  }

  print(): void {
    console.table(this.#rows)
  }
}

type Goal = { atMost?: number; atLeast?: number }

function holds(answer: number, { atMost, atLeast }: Goal): boolean {
  return (atMost === undefined || answer <= atMost) && (atLeast === undefined || answer >= atLeast)
}

function missing(answer: number, { atMost, atLeast }: Goal): string {
  return `${round((Math.abs(answer - (atMost ?? atLeast ?? 0)) / (atMost ?? atLeast ?? 1)) * 100)} %`
}

function shown(goal: Goal | undefined, unit: string): string {
  if (goal === undefined) return ''
  return goal.atMost === undefined ? `≥ ${goal.atLeast}${unit}` : `≤ ${goal.atMost}${unit}`
}

const round = (value: number) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)))

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

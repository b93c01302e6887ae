/** What a deploy sent besides, which the stock client passes on as it is: `--annotation name=value`. */
function annotationOf({ annotations }: Readonly<Record<string, unknown>>, name: string): string | undefined {
  if (typeof annotations !== 'object' || annotations === null || !Object.hasOwn(annotations, name)) return undefined
  const value: unknown = Reflect.get(annotations, name)
  return typeof value === 'string' ? value : undefined
}

/** The container runtime that an app asks for: `fal deploy --annotation carrick.runtime=runsc`. */
export function runtimeAsked(metadata: Readonly<Record<string, unknown>>): string | undefined {
  return annotationOf(metadata, 'carrick.runtime')
}

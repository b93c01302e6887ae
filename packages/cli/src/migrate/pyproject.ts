import { parse } from 'smol-toml'

/** A pyproject.toml in which an app of this name is fal_app.py's. What is there stays, an app of that name too. */
export function withApp(text: string | undefined, name: string): string {
  const table = `[tool.fal.apps.${name}]\nref = "fal_app.py::App"\nauth = "private"\n`
  if (text === undefined || text.trim() === '') return table
  return hasApp(text, name) ? text : `${text.trimEnd()}\n\n${table}`
}

function hasApp(text: string, name: string): boolean {
  const inside = (value: unknown, key: string) =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  try {
    return ['tool', 'fal', 'apps', name].reduce<unknown>(inside, parse(text)) !== undefined
  } catch (cause) {
    throw new Error(`pyproject.toml is not TOML: ${(cause as Error).message.split('\n', 1)[0]}`, { cause })
  }
}

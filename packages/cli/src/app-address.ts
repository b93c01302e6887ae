import type { Connection } from './connection.ts'

/** An app as addresses name it, from `owner/name` or a name among one's own. Throws for what is neither. */
export function appAddress(app: string, { nickname }: Pick<Connection, 'nickname'>): string {
  const [owner = '', name = '', ...rest] = app.includes('/') ? app.split('/') : [nickname, app]
  if (owner === '' || name === '' || rest.length > 0)
    throw new Error(`"${app}" is no app: name it as owner/name, or by its name alone`)
  return `${encodeURIComponent(owner)}/${encodeURIComponent(name)}`
}

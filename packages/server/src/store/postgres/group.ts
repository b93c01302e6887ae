import type { Client, QueryConfig, QueryResult } from 'pg'
import type { Ended } from '../committer.ts'
import type { Row, Statement, StatementResult } from '../store.ts'
import { postgresText } from './dialect.ts'

/** More texts than this are not prepared: the server keeps prepared ones as long as the connection lives. */
const mostPrepared = 500

/** Turns statements into queries that the server plans once. */
export class Queries {
  readonly #known = new Map<string, { readonly text: string; readonly name: string }>()

  of({ text, values }: Statement): QueryConfig {
    const known = this.#known.get(text)
    if (known) return { ...known, values: [...values] }
    const query = { text: postgresText(text), name: `carrick_${this.#known.size}` }
    if (this.#known.size >= mostPrepared) return { text: query.text, values: [...values] }
    this.#known.set(text, query)
    return { ...query, values: [...values] }
  }
}

/**
 * Commits a group in one round trip. Postgres gives up a transaction at its first refusal, so a group that holds a
 * refused write is done again, each write in a transaction of its own.
 */
export async function commitGroup(
  client: Client,
  queries: Queries,
  group: readonly (readonly Statement[])[],
): Promise<readonly Ended[]> {
  const together = await transaction(client, queries, group.flat())
  if ('results' in together) return share(together.results, group)
  if (group.length === 1) return [together]
  return Promise.all(group.map((write) => transaction(client, queries, write)))
}

/** All of the statements, or none and the first refusal. They are sent without waiting for answers in between. */
async function transaction(client: Client, queries: Queries, statements: readonly Statement[]): Promise<Ended> {
  const begun = client.query('begin')
  const answers = statements.map((statement) => client.query<Row>(queries.of(statement)))
  const committed = client.query('commit')
  const [settled] = await Promise.all([Promise.allSettled([begun, ...answers]), committed])
  const refused = settled.find((answer) => answer.status === 'rejected')
  if (refused) return { error: refused.reason }
  return { results: (await Promise.all(answers)).map(statementResult) }
}

function statementResult({ rowCount, rows }: QueryResult<Row>): StatementResult {
  return { changes: rowCount ?? 0, rows }
}

function share(results: readonly StatementResult[], group: readonly (readonly Statement[])[]): Ended[] {
  let from = 0
  return group.map((write) => ({ results: results.slice(from, (from += write.length)) }))
}

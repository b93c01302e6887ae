import type { AccountId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** A ComfyUI graph as its owner saved it. */
export interface ComfyWorkflow {
  readonly accountId: AccountId
  readonly name: string
  readonly title: string
  /** The graph and what belongs to it, unread. */
  readonly workflow: Readonly<Record<string, unknown>>
  readonly isPublic: boolean
  readonly createdAt: Moment
}

export type ListedComfyWorkflow = Pick<ComfyWorkflow, 'name' | 'title' | 'createdAt'>

/** `false` when the account has one of that name. */
export function addComfyWorkflow(comfy: ComfyWorkflow): Write<boolean> {
  const { accountId, name, title, workflow, isPublic, createdAt } = comfy
  return write(
    [
      sql`insert into comfy_workflow (account_id, name, title, workflow, is_public, created_at)
          values (${accountId}, ${name}, ${title}, ${workflow}, ${isPublic}, ${createdAt})
              on conflict do nothing`,
    ],
    firstWon,
  )
}

/** What is undefined stays. `false` when there is none of that name. */
export function changeComfyWorkflow(
  { accountId, name }: Pick<ComfyWorkflow, 'accountId' | 'name'>,
  { title, workflow, isPublic }: Partial<Pick<ComfyWorkflow, 'title' | 'workflow' | 'isPublic'>>,
): Write<boolean> {
  return write(
    [
      sql`update comfy_workflow
             set title = coalesce(${title}, title), workflow = coalesce(${workflow}, workflow),
                 is_public = coalesce(${isPublic}, is_public)
           where account_id = ${accountId} and name = ${name}`,
    ],
    firstWon,
  )
}

/** `false` when there is none of that name. */
export function deleteComfyWorkflow(accountId: AccountId, name: string): Write<boolean> {
  return write([sql`delete from comfy_workflow where account_id = ${accountId} and name = ${name}`], firstWon)
}

export function comfyWorkflow(accountId: AccountId, name: string): Read<ComfyWorkflow | undefined> {
  return readOne(
    sql`select account_id, name, title, workflow, is_public, created_at
          from comfy_workflow
         where account_id = ${accountId} and name = ${name}`,
    stored,
  )
}

/** A page of an account's graphs, newest first. */
export function comfyWorkflowsOfAccount(
  accountId: AccountId,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Read<readonly ListedComfyWorkflow[]> {
  return read(
    sql`select name, title, created_at
          from comfy_workflow
         where account_id = ${accountId}
         order by created_at desc, name
         limit ${limit} offset ${offset}`,
    (row) => ({ name: text(row, 'name'), title: text(row, 'title'), createdAt: number(row, 'created_at') }),
  )
}

export function countComfyWorkflows(accountId: AccountId): Read<number> {
  return {
    statement: sql`select count(*) as total from comfy_workflow where account_id = ${accountId}`,
    result: ([row]) => Number(row?.['total'] ?? 0),
  }
}

function stored(row: Row): ComfyWorkflow {
  return {
    accountId: text(row, 'account_id'),
    name: text(row, 'name'),
    title: text(row, 'title'),
    workflow: json(row, 'workflow'),
    isPublic: number(row, 'is_public') === 1,
    createdAt: number(row, 'created_at'),
  }
}

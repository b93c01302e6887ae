import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AccountId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import { accountById, accountByNickname } from '../../store/accounts.ts'
import {
  addComfyWorkflow,
  changeComfyWorkflow,
  comfyWorkflow,
  comfyWorkflowsOfAccount,
  countComfyWorkflows,
  deleteComfyWorkflow,
  type ComfyWorkflow,
} from '../../store/comfy.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { WorkflowName, WorkflowPage } from './workflow-input.ts'

/** A graph and whose it is. */
export interface ComfyView {
  readonly stored: ComfyWorkflow
  /** The owner's nickname. */
  readonly owner: string
}

/** What ComfyUI calls the prompt must be there; the rest is for the client. */
export const ComfyGraph = z.looseObject({ prompt: z.record(z.string(), z.unknown()) })

const NewComfy = z.object({
  name: WorkflowName,
  title: z.string().max(200),
  workflow: ComfyGraph,
  isPublic: z.boolean(),
})

/** Saves a graph for ComfyUI. Throws `workflow_exists` for a name that is taken. */
export const createComfy = operation(
  { permission: 'workflows:write', input: NewComfy },
  async ({ store, clock }, { accountId, nickname }, sent): Promise<ComfyView> => {
    const stored = { ...sent, accountId, createdAt: clock.now() }
    if (!(await store.commit(addComfyWorkflow(stored))))
      throw new CarrickError(
        'workflow_exists',
        `There is a ComfyUI workflow "${sent.name}" already: change it, or choose another name`,
      )
    return { stored, owner: nickname }
  },
  { action: 'create_comfy_workflow', about: ({ name, isPublic }) => ({ subject: name, isPublic }) },
)

const Named = z.object({ owner: z.string(), name: z.string() })

/** A graph of the caller's, or a public one of somebody else's. */
export const getComfy = operation(
  { permission: 'workflows:read', input: Named },
  async ({ store }, caller, { owner, name }): Promise<ComfyView> => {
    const account = await store.read(
      owner === caller.accountId ? accountById(caller.accountId) : accountByNickname(owner),
    )
    const stored = account && (await store.read(comfyWorkflow(account.id, name)))
    if (stored === undefined || (!stored.isPublic && stored.accountId !== caller.accountId)) throw unknown(owner, name)
    return { stored, owner: account?.nickname ?? owner }
  },
)

/** Changes what is said of a graph; what is left out stays. */
export const updateComfy = operation(
  { permission: 'workflows:write', input: NewComfy.partial().extend({ owner: z.string(), named: z.string() }) },
  async (deps, caller, { owner, named, name = named, ...changes }): Promise<ComfyView> => {
    if (name !== named)
      throw new CarrickError('bad_request', `A workflow keeps its name: make one that is called "${name}" instead`)
    const accountId = own(caller, owner, named)
    if (!(await deps.store.commit(changeComfyWorkflow({ accountId, name }, changes)))) throw unknown(owner, name)
    return { stored: await read(deps, accountId, { owner, name }), owner: caller.nickname }
  },
  { action: 'update_comfy_workflow', about: ({ named, isPublic }) => ({ subject: named, isPublic }) },
)

export const deleteComfy = operation(
  { permission: 'workflows:write', input: Named },
  async ({ store }, caller, { owner, name }) => {
    if (!(await store.commit(deleteComfyWorkflow(own(caller, owner, name), name)))) throw unknown(owner, name)
  },
  { action: 'delete_comfy_workflow', about: ({ name }) => ({ subject: name }) },
)

/** A page of the caller's graphs, and how many there are. */
export const listComfy = operation(
  { permission: 'workflows:read', input: WorkflowPage },
  async ({ store }, { accountId, nickname }, { page, size }) => {
    const [items, total] = await Promise.all([
      store.read(comfyWorkflowsOfAccount(accountId, { offset: (page - 1) * size, limit: size })),
      store.read(countComfyWorkflows(accountId)),
    ])
    return { owner: { id: accountId, nickname }, items, total, page, size }
  },
)

async function read({ store }: Deps, accountId: AccountId, { owner, name }: z.infer<typeof Named>) {
  const stored = await store.read(comfyWorkflow(accountId, name))
  if (stored === undefined) throw unknown(owner, name)
  return stored
}

/** Clients name their own account by its nickname, or by its id. */
function own({ accountId, nickname }: Caller, owner: string, name: string): AccountId {
  if (owner !== accountId && owner !== nickname) throw unknown(owner, name)
  return accountId
}

const unknown = (owner: string, name: string) =>
  new CarrickError('workflow_not_found', `ComfyUI workflow "${owner}/${name}" not found, or this key may not see it`)

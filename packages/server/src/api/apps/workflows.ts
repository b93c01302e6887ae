import { z } from 'zod'
import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import { workflowAlias, workflowName } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec, StoredWorkflow } from '../../domain/revision.ts'
import { serverDefaults } from '../../domain/scale.ts'
import { readWorkflow } from '../../domain/workflow.ts'
import type { KnownApp } from '../../home/apps.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { deleteApp } from '../../store/apps.ts'
import { addWorkflow, changeWorkflow, countWorkflows, workflowsOfAccount } from '../../store/workflows.ts'
import type { ListedWorkflow, WorkflowRevision } from '../../store/workflows.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { WorkflowName, WorkflowPage } from './workflow-input.ts'

/** A workflow as its owner, and for a public one everybody with a key, may see it. */
export interface WorkflowView {
  readonly app: App
  readonly name: string
  readonly stored: StoredWorkflow
}

const NewWorkflow = z.object({
  name: WorkflowName,
  title: z.string().max(200),
  contents: z.record(z.string(), z.unknown()),
  isPublic: z.boolean(),
})

/** Makes a workflow. Throws `bad_request` for one that could never run, `workflow_exists` for a name that is taken. */
export const createWorkflow = operation(
  { permission: 'workflows:write', input: NewWorkflow },
  async (deps, caller, { name, isPublic, ...stored }): Promise<WorkflowView> => {
    const app = { id: uuidv7(deps.clock), accountId: caller.accountId, name: workflowAlias(name) }
    if (!(await deps.store.commit(addWorkflow(app, revisionOf(deps, stored, isPublic)))))
      throw new CarrickError(
        'workflow_exists',
        `There is a workflow "${name}" already: change it, or choose another name`,
      )
    return view(deps, caller, name)
  },
  { action: 'create_workflow', about: ({ name, isPublic }) => ({ subject: name, isPublic }) },
)

const NamedWorkflow = z.object({ owner: z.string(), name: z.string() })

/** A workflow of the caller's, or a public one of somebody else's. */
export const getWorkflow = operation(
  { permission: 'workflows:read', input: NamedWorkflow },
  async (deps, caller, { owner, name }): Promise<WorkflowView> => {
    const known = find(deps, caller, owner, name)
    if (known === undefined || (known.app.authMode === 'private' && known.app.accountId !== caller.accountId))
      throw unknown(owner, name)
    return viewOf(known)
  },
)

/** Changes what is said of a workflow; what is left out stays. Runs that are under way go on by what they began with, unless a crash interrupts them. */
export const updateWorkflow = operation(
  {
    permission: 'workflows:write',
    input: NewWorkflow.partial().extend({ owner: z.string(), named: z.string() }),
  },
  async (deps, caller, { owner, named, name = named, isPublic, ...changes }): Promise<WorkflowView> => {
    if (name !== named)
      throw new CarrickError('bad_request', `A workflow keeps its name: make one that is called "${name}" instead`)
    const { app, active } = own(deps, caller, owner, named)
    const { title, contents } = { ...viewOf({ app, active }).stored, ...defined(changes) }
    const next = revisionOf(deps, { title, contents }, isPublic ?? app.authMode !== 'private')
    if (active === undefined || !(await deps.store.commit(changeWorkflow(app.id, active.id, next))))
      throw new CarrickError('superseded', `Workflow "${named}" was changed meanwhile: look at it again`)
    return view(deps, caller, named)
  },
  { action: 'update_workflow', about: ({ named, isPublic }) => ({ subject: named, isPublic }) },
)

/** Deletes a workflow. What waits for it ends; what runs goes on. */
export const deleteWorkflow = operation(
  { permission: 'workflows:write', input: NamedWorkflow },
  async (deps, caller, { owner, name }) => {
    const { app } = own(deps, caller, owner, name)
    if (!(await deps.store.commit(deleteApp(app.id, deps.clock.now())))) throw unknown(owner, name)
    await deps.apps.refresh()
  },
  { action: 'delete_workflow', about: ({ name }) => ({ subject: name }) },
)

/** A page of the caller's workflows, and how many there are. */
export const listWorkflows = operation(
  {
    permission: 'workflows:read',
    input: WorkflowPage,
  },
  async (deps, caller, { page, size }) => {
    const [workflows, total] = await Promise.all([
      deps.store.read(workflowsOfAccount(caller.accountId, { offset: (page - 1) * size, limit: size })),
      deps.store.read(countWorkflows(caller.accountId)),
    ])
    const items = workflows.map(({ alias, ...more }: ListedWorkflow) => ({ name: workflowName(alias) ?? '', ...more }))
    return { owner: { id: caller.accountId, nickname: caller.nickname }, items, total, page, size }
  },
)

/** Its scale is that of something that never has a runner of its own. */
const scale = { ...serverDefaults, max_concurrency: 0, request_timeout: 86_400 }

function revisionOf({ clock }: Deps, workflow: StoredWorkflow, isPublic: boolean): WorkflowRevision {
  readWorkflow(workflow.contents)
  const spec: RevisionSpec & { workflow: StoredWorkflow } = {
    workflow,
    environment: { kind: 'virtualenv', pythonVersion: '', layers: [], compileBytecode: false },
    environmentId: '',
    callable: { entrypoint: '' },
    scale,
    terminationGracePeriodSeconds: 0,
    skipRetryConditions: [],
    retryBudgets: {},
    privateLogs: true,
    metadata: {},
  }
  return { revisionId: uuidv7(clock), spec, authMode: isPublic ? 'shared' : 'private', now: clock.now() }
}

/** Clients name the owner by nickname, and their own account by its id as well. */
function find({ apps }: Deps, caller: Caller, owner: string, name: string): KnownApp | undefined {
  return apps.find(owner === caller.accountId ? caller.nickname : owner, workflowAlias(name))
}

function own(deps: Deps, caller: Caller, owner: string, name: string): KnownApp {
  const known = find(deps, caller, owner, name)
  if (known?.app.accountId !== caller.accountId) throw unknown(owner, name)
  return known
}

async function view(deps: Deps, caller: Caller, name: string): Promise<WorkflowView> {
  await deps.apps.refresh()
  return viewOf(own(deps, caller, caller.nickname, name))
}

function viewOf({ app, active }: Pick<KnownApp, 'app' | 'active'>): WorkflowView {
  const stored = active?.spec.workflow
  if (stored === undefined) throw unknown(app.owner, app.name)
  return { app, name: workflowName(app.name) ?? app.name, stored }
}

const defined = (changes: object) =>
  Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<StoredWorkflow>

const unknown = (owner: string, name: string) =>
  new CarrickError('workflow_not_found', `Workflow "${owner}/${name}" not found, or this key may not see it`)

import { z } from 'zod'
import {
  createWorkflow,
  deleteWorkflow,
  getWorkflow,
  listWorkflows,
  updateWorkflow,
  type WorkflowView,
} from '../../apps/workflows.ts'
import { iso, named, route, said } from './route.ts'
import { mostWorkflowBytes as mostBytes, workflowPage } from './workflow-page.ts'

const Sent = z.object({
  name: z.string(),
  title: z.string(),
  contents: z.record(z.string(), z.unknown()),
  is_public: z.boolean(),
})

/** Workflows, as `fal.workflows` publishes them. They are called under the same addresses. */
export const workflowRoutes = [
  route('GET', '/workflows/', listWorkflows, {
    read: ({ query }) => ({ page: said(query['page']), size: said(query['size']) }),
    show: workflowPage,
  }),

  route('POST', '/workflows/', createWorkflow, {
    read: async ({ json }) => {
      const { is_public: isPublic, ...more } = await json(Sent, mostBytes)
      return { ...more, isPublic }
    },
    show: (workflow) => Response.json(shown(workflow), { status: 201 }),
  }),

  route('GET', '/workflows/:owner/:name', getWorkflow, {
    read: ({ params }) => named(params),
    show: shown,
  }),

  route('PATCH', '/workflows/:owner/:name', updateWorkflow, {
    read: async ({ params, json }) => {
      const { owner, name } = named(params)
      const { is_public: isPublic, ...changes } = await json(Sent.partial(), mostBytes)
      return { ...changes, isPublic, owner, named: name }
    },
    show: (workflow) => Response.json(shown(workflow), { status: 201 }), // what the generated client waits for
  }),

  route('DELETE', '/workflows/:owner/:name', deleteWorkflow, {
    read: ({ params }) => named(params),
    show: () => new Response(null, { status: 204 }),
  }),
]

function shown({ app, name, stored }: WorkflowView) {
  return {
    name,
    title: stored.title,
    contents: stored.contents,
    is_public: app.authMode !== 'private',
    user_id: app.accountId,
    user_nickname: app.owner,
    created_at: iso(app.createdAt),
  }
}

import { z } from 'zod'
import {
  ComfyGraph,
  createComfy,
  deleteComfy,
  getComfy,
  listComfy,
  updateComfy,
  type ComfyView,
} from '../../apps/comfy.ts'
import { iso, named, route, said } from './route.ts'
import { mostWorkflowBytes, workflowPage } from './workflow-page.ts'

const Sent = z.object({ name: z.string(), title: z.string(), workflow: ComfyGraph, is_public: z.boolean() })

/** Graphs for ComfyUI, as the stock SDK's generated client saves and reads them. */
export const comfyRoutes = [
  route('GET', '/comfy/', listComfy, {
    read: ({ query }) => ({ page: said(query['page']), size: said(query['size']) }),
    show: workflowPage,
  }),

  route('POST', '/comfy/', createComfy, {
    read: async ({ json }) => {
      const { is_public: isPublic, ...more } = await json(Sent, mostWorkflowBytes)
      return { ...more, isPublic }
    },
    show: (comfy) => Response.json(shown(comfy), { status: 201 }),
  }),

  route('GET', '/comfy/:owner/:name', getComfy, { read: ({ params }) => named(params), show: shown }),

  route('PATCH', '/comfy/:owner/:name', updateComfy, {
    read: async ({ params, json }) => {
      const { owner, name } = named(params)
      const { is_public: isPublic, ...changes } = await json(Sent.partial(), mostWorkflowBytes)
      return { ...changes, isPublic, owner, named: name }
    },
    show: (comfy) => Response.json(shown(comfy), { status: 201 }), // what the generated client waits for
  }),

  route('DELETE', '/comfy/:owner/:name', deleteComfy, {
    read: ({ params }) => named(params),
    show: () => new Response(null, { status: 204 }),
  }),
]

function shown({ stored, owner }: ComfyView) {
  const { name, title, workflow, isPublic, accountId, createdAt } = stored
  return {
    name,
    title,
    workflow,
    is_public: isPublic,
    user_id: accountId,
    user_nickname: owner,
    created_at: iso(createdAt),
  }
}

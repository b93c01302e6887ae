import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { z } from 'zod'

const Media = z.object({ schema: z.record(z.string(), z.unknown()) })
const Operation = z.object({
  responses: z.record(z.string(), z.object({ content: z.record(z.string(), Media).optional() })),
})
const Document = z.object({ paths: z.record(z.string(), z.record(z.string(), Operation)) })

/** An answer that came from a server. */
export interface Answered {
  readonly method: string
  /** With or without a query. */
  readonly path: string
  readonly status: number
  readonly body: unknown
}

/** Says what is wrong with an answer by an OpenAPI document; undefined when it is as the document promises. */
export function checkerOf(given: unknown): (answered: Answered) => string | undefined {
  const { paths } = Document.parse(given)
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  return ({ method, path, status, body }) => {
    const asked = path.split('?')[0] ?? ''
    // A path that is written out comes before one with a place in it.
    const known = Object.keys(paths).toSorted((one, other) => one.split('{').length - other.split('{').length)
    const found = known.find((each) => pattern(each).test(asked) && paths[each]?.[method.toLowerCase()])
    const responses = found && paths[found]?.[method.toLowerCase()]?.responses
    if (!responses) return `${method} ${asked} stands nowhere in the document`
    const response = responses[status] ?? (status >= 400 ? responses['default'] : undefined)
    if (!response) return `${method} ${asked} answered ${status}, which the document does not know`
    const schema = response.content?.['application/json']?.schema
    if (schema === undefined) return undefined
    const validate = ajv.compile(schema)
    return validate(body) ? undefined : `${method} ${asked} ${status}: ${ajv.errorsText(validate.errors)}`
  }
}

function pattern(path: string): RegExp {
  const escaped = path.replaceAll('.', '\\.').replaceAll(/\{path\}$/g, '.+')
  return new RegExp(`^${escaped.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

import { CarrickError } from './errors.ts'

/**
 * A graph of calls to apps, in the form that the stock SDK's `fal.workflows` writes. A text that begins with `$` stands
 * for something: `$input.prompt` for what the caller sent, `$node.images.0.url` for what a node answered.
 */
export interface Workflow {
  readonly nodes: ReadonlyMap<string, Node>
  /** What the workflow answers, with references in it. */
  readonly output: unknown
  /** What a field of the input is that a caller leaves out, as its schema has it. */
  readonly defaults: Readonly<Record<string, unknown>>
}

/** `display` is for people who run a workflow on their own machine: here it does nothing. */
export type Node = RunNode | DisplayNode

interface AnyNode {
  readonly id: string
  /** The nodes that must have answered before it starts. */
  readonly after: ReadonlySet<string>
}

export interface RunNode extends AnyNode {
  readonly type: 'run'
  readonly app: { readonly owner: string; readonly name: string; readonly path: string }
  /** What is sent, with references in it. */
  readonly input: unknown
}

export interface DisplayNode extends AnyNode {
  readonly type: 'display'
}

/** Under this name nodes find what the caller sent. */
export const inputName = 'input'

const mostNodes = 200
const deepest = 64

/**
 * Reads a workflow. Throws `bad_request` with a sentence for what could never run: nodes of a kind that is not known,
 * references to what is not there, and circles.
 */
export function readWorkflow(contents: unknown): Workflow {
  const { nodes: given, output, schema } = record(contents, 'The workflow')
  if (output === undefined || output === null) throw refused('The workflow has no output: set one')
  const entries = Object.entries(record(given, 'What the workflow has as "nodes"'))
  if (entries.length > mostNodes)
    throw refused(`The workflow has ${entries.length} nodes, and may have ${mostNodes} at most`)
  const nodes = new Map(entries.map(([id, node]) => [id, readNode(id, record(node, `Node "${id}"`))] as const))
  for (const { id, after } of nodes.values())
    for (const other of after)
      if (!nodes.has(other)) throw refused(`Node "${id}" refers to "${other}", which is no node`)
  for (const other of referredIn(output, 'The output'))
    if (!nodes.has(other)) throw refused(`The output refers to "${other}", which is no node`)
  refuseCircles(nodes)
  return { nodes, output, defaults: defaultsIn(schema) }
}

/** A schema is a help for callers: one that cannot be read has no defaults. */
function defaultsIn(schema: unknown): Workflow['defaults'] {
  const { properties } = asRecord(asRecord(schema)['input'])
  const fields = Object.entries(asRecord(properties)).map(([name, field]) => [name, asRecord(field)] as const)
  return Object.fromEntries(
    fields.filter(([, field]) => 'default' in field).map(([name, field]) => [name, field['default']]),
  )
}

function readNode(id: string, { type, depends = [], app, input, fields }: Readonly<Record<string, unknown>>): Node {
  if (id === inputName) throw refused(`No node can be called "${inputName}": that is what the caller sends`)
  if (!Array.isArray(depends) || !depends.every((each) => typeof each === 'string'))
    throw refused(`What node "${id}" has as "depends" is not a list of names`)
  const named = depends.filter((other) => other !== inputName)
  const after = (held: unknown) => new Set([...named, ...referredIn(held, `Node "${id}"`)])
  if (type === 'display') return { type, id, after: after(fields ?? null) }
  if (type !== 'run')
    throw refused(`Node "${id}" is of the kind ${JSON.stringify(type)}: there are "run" and "display"`)
  return { type, id, app: readApp(id, app), input: input ?? {}, after: after(input ?? {}) }
}

function readApp(id: string, app: unknown): RunNode['app'] {
  const [, owner, name, path = ''] = /^([^/]+)\/([^/]+)(\/.*)?$/.exec(typeof app === 'string' ? app : '') ?? []
  if (owner === undefined || name === undefined) throw refused(`Node "${id}" names no app: it must be "owner/app"`)
  if (owner === 'workflows' || owner === 'comfy')
    throw refused(`Node "${id}" calls "${String(app)}": a node calls an app, and no other workflow`)
  return { owner, name, path: path === '' ? '/' : path }
}

/** Where a reference leads: what it is found under, and the way from there. */
interface Reference {
  readonly from: string
  readonly way: readonly string[]
}

/** What a text refers to; undefined for one that means itself. */
function referenceIn(text: string): Reference | undefined {
  if (!text.startsWith('$')) return undefined
  const [from = '', ...way] = text.slice(1).split('.')
  return { from, way }
}

/** The nodes that are referred to, anywhere inside. */
function referredIn(value: unknown, who: string, depth = 0): ReadonlySet<string> {
  if (depth > deepest) throw refused(`${who} holds lists and objects ${deepest} deep, and more is not read`)
  if (typeof value === 'string') {
    const { from, way } = referenceIn(value) ?? { from: inputName, way: [] }
    if (from === '' || way.includes('')) throw refused(`${who} holds "${value}", which is not "$name" or "$name.field"`)
    return new Set(from === inputName ? [] : [from])
  }
  if (typeof value !== 'object' || value === null) return new Set()
  return new Set(Object.values(value).flatMap((each) => [...referredIn(each, who, depth + 1)]))
}

function refuseCircles(nodes: ReadonlyMap<string, Node>): void {
  const done = new Set<string>()
  for (let next = startable(nodes, done, done); next.length > 0; next = startable(nodes, done, done))
    for (const { id } of next) done.add(id)
  const left = [...nodes.keys()].filter((id) => !done.has(id))
  if (left.length > 0) throw refused(`Nodes wait for one another in a circle: ${left.join(', ')}`)
}

/** The nodes that can start now: all that they wait for is done. */
export function startable(
  nodes: Workflow['nodes'],
  begun: ReadonlySet<string>,
  done: ReadonlySet<string>,
): readonly Node[] {
  return [...nodes.values()].filter(({ id, after }) => !begun.has(id) && [...after].every((other) => done.has(other)))
}

/**
 * The value with what its references lead to in their place. Throws `bad_request` where one leads nowhere; `who` is whose
 * value it is, for the sentence.
 */
export function filledIn(value: unknown, known: ReadonlyMap<string, unknown>, who: string): unknown {
  if (typeof value === 'string') {
    const reference = referenceIn(value)
    return reference === undefined ? value : follow(reference, known, who)
  }
  if (Array.isArray(value)) return value.map((each) => filledIn(each, known, who))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filledIn(each, known, who)]))
}

function follow({ from, way }: Reference, known: ReadonlyMap<string, unknown>, who: string): unknown {
  let value = known.get(from)
  let walked = `$${from}`
  for (const step of way) {
    // Only what the answer itself holds: nothing that every object has.
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      throw refused(`${who} asks for "${step}" of ${walked}, and there is none`)
    value = (value as Readonly<Record<string, unknown>>)[step]
    walked += `.${step}`
  }
  return value
}

/** What a caller sent, with the schema's defaults for the rest. Throws `bad_request` unless it is an object. */
export function wholeInput({ defaults }: Workflow, sent: unknown): Readonly<Record<string, unknown>> {
  return { ...defaults, ...record(sent, 'The input') }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw refused(`${what} is not an object`)
  return value
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const refused = (sentence: string) => new CarrickError('bad_request', sentence)

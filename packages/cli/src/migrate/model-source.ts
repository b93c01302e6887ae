import { oneLine } from './conversion.ts'
import type { CogInput, CogPredictor, CogType } from './predictor.ts'
import { python } from './python-text.ts'

/** The inputs as a pydantic model with all that `Input(…)` says of them. */
export function inputClass({ inputs }: CogPredictor): string {
  const settings = '    model_config = ConfigDict(protected_namespaces=(), regex_engine="python-re")\n'
  return ['class Input(BaseModel):', settings, ...inputs.map(inputLine)].join('\n').trimEnd()
}

function inputLine({ name, type, optional, default: given, constraints, unread }: CogInput): string {
  const lacksDefault = optional && unread.some(({ what }) => what === 'default')
  const isNull = lacksDefault || (optional && given === null)
  const { description, choices, regex, ...bounds } = constraints
  const chosen = Array.isArray(choices) ? withChoices(type, choices) : type
  const args = [
    ...(optional ? [`default=${python(lacksDefault ? null : given)}`] : []),
    ...(typeof description === 'string' ? [`description=${python(description)}`] : []),
    ...Object.entries(bounds).map(([key, value]) => `${key}=${python(value)}`),
    ...(typeof regex === 'string' ? [`pattern=${python(regex)}`] : []),
    ...(isFile(type) ? ['json_schema_extra={"ui": {"field": "file"}}'] : []),
  ]
  const shown = typeText(chosen, 'str')
  const line = `    ${name}: ${isNull && chosen.kind !== 'optional' ? `Optional[${shown}]` : shown} = Field(${args.join(', ')})`
  return [
    ...unread.map(({ what, source }) => `    # ${what} of ${name} is in the predictor: ${oneLine(source)}`),
    line,
  ].join('\n')
}

function withChoices(type: CogType, choices: readonly unknown[]): CogType {
  if ('of' in type) return { kind: type.kind, of: withChoices(type.of, choices) }
  const values = choices.filter(
    (each) => typeof each === 'string' || typeof each === 'number' || typeof each === 'boolean',
  )
  return values.length === 0 || hasFractions(values) ? type : { kind: 'literal', values }
}

function isFile(type: CogType): boolean {
  return 'of' in type ? isFile(type.of) : type.kind === 'path' || type.kind === 'file'
}

/** `file` is what a file is: a URL on its way in, what the upload answered on its way out. */
function typeText(type: CogType, file: 'str' | 'File'): string {
  switch (type.kind) {
    case 'path':
    case 'file':
      return file
    case 'secret':
      return file === 'str' ? 'SecretStr' : 'str'
    case 'any':
      return 'Any'
    case 'dict':
      return 'dict[str, Any]'
    case 'none':
      return 'None'
    case 'list':
    case 'iterator':
      return `list[${typeText(type.of, file)}]`
    case 'optional':
      return `Optional[${typeText(type.of, file)}]`
    case 'literal':
      return `Literal[${type.values.map(python).join(', ')}]`
    case 'model':
      return file === 'str' ? 'dict[str, Any]' : modelName(type.name)
    default:
      return type.kind
  }
}

/** A name that none of the app's own classes has. */
const modelName = (name: string) => (['Input', 'Answer', 'App', 'File', 'BaseModel'].includes(name) ? `${name}_` : name)

/** The output as a pydantic model, after those that it is made of. */
export function outputClasses({ models, output }: CogPredictor): string[] {
  const classes = models.map(({ name, fields }) => {
    const lines = fields.map(({ name: field, type, optional }) => {
      const mayLack = optional || type.kind === 'optional'
      const text = typeText(type, 'File')
      return `    ${field}: ${mayLack && type.kind !== 'optional' ? `Optional[${text}]` : text}${mayLack ? ' = None' : ''}`
    })
    return [`class ${modelName(name)}(BaseModel):`, ...(lines.length === 0 ? ['    pass'] : lines)].join('\n')
  })
  return [...classes, `class Answer(BaseModel):\n    output: ${typeText(output, 'File')}`]
}

/** Whether choices have numbers of which no type can be made. */
export const hasFractions = (choices: unknown): boolean =>
  Array.isArray(choices) && choices.some((each) => typeof each === 'number' && !Number.isInteger(each))

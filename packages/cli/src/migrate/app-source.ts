import { hasFractions, oneLine, secretName, type Conversion } from './conversion.ts'
import type { CogInput, CogType } from './predictor.ts'
import { docstring, python, pythonList } from './python-text.ts'

/** What marks a file as written by the converter, so that it may write it again. */
export const mark = 'carrick migrate cog'

/** The app: the predictor's inputs and outputs as pydantic models, and endpoints that call it. */
export function appSource(conversion: Conversion): string {
  const body = [inputClass(conversion), ...outputClasses(conversion), appClass(conversion)].join('\n\n\n')
  return `"""Written by \`${mark}\` from cog.yaml and ${conversion.file}. It is yours now: change what you like."""\n\n${imports(conversion, body)}\n\n\n${body}\n`
}

function imports({ kind }: Conversion, body: string): string {
  const used = (names: readonly string[]) => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body))
  const from = (module: string, names: readonly string[]) => {
    const wanted = used(names)
    return wanted.length === 0 ? [] : [`from ${module} import ${wanted.join(', ')}`]
  }
  const standard = [
    ...(kind === 'container' ? ['import os', 'import sys', 'from pathlib import Path'] : []),
    ...from('typing', ['Any', 'Literal', 'Optional']),
  ]
  const others = [
    'import fal',
    ...from('fal.container', ['ContainerImage']),
    'from fal.toolkit import File',
    ...from('fastapi', ['Request']),
    ...from('fastapi.responses', ['StreamingResponse']),
    ...from('pydantic', ['BaseModel', 'ConfigDict', 'Field', 'SecretStr']),
  ]
  return [standard.join('\n'), others.join('\n')].filter((part) => part !== '').join('\n\n')
}

function inputClass({ project }: Conversion): string {
  const settings = '    model_config = ConfigDict(protected_namespaces=(), regex_engine="python-re")\n'
  return ['class Input(BaseModel):', settings, ...project.predictor.inputs.map(inputLine)].join('\n').trimEnd()
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

function outputClasses({ project }: Conversion): string[] {
  const { models, output } = project.predictor
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

function appClass(conversion: Conversion): string {
  const { project, multiplexing, machineType, kind } = conversion
  const { predictor } = project
  const doc = predictor.doc === null ? [] : [`    """${docstring(oneLine(predictor.doc))}"""\n`]
  return [
    'class App(fal.App):',
    ...doc,
    `    app_name = ${python(project.name)}`,
    `    machine_type = ${python(machineType)}`,
    ...(kind === 'container' ? imageLines(conversion) : environmentLines(conversion)),
    ...(multiplexing > 1 ? [`    max_multiplexing = ${multiplexing}`] : []),
    '',
    ...setupLines(conversion),
    '',
    ...endpointLines(predictor.output),
  ].join('\n')
}

function environmentLines({ requirements, project }: Conversion): string[] {
  const files = project.entries.map(({ name }) => name)
  return [`    requirements = ${pythonList(requirements, '    ')}`, `    app_files = ${pythonList(files, '    ')}`]
}

function imageLines({ buildSecrets }: Conversion): string[] {
  const secrets = Object.fromEntries(buildSecrets.map((id) => [id, `$${secretName(id)}`]))
  return [
    '    image = ContainerImage.from_dockerfile(',
    '        str(Path(__file__).parent / "Dockerfile"),',
    '        context_dir=Path(__file__).parent,',
    ...(buildSecrets.length > 0 ? [`        secrets=${python(secrets)},`] : []),
    '    )',
  ]
}

function setupLines({ kind, file, project, environment }: Conversion): string[] {
  const { className } = project.predictor
  return [
    '    async def setup(self) -> None:',
    ...(kind === 'container' ? ['        os.chdir("/app")', '        sys.path.insert(0, "/app")'] : []),
    '        from cog.serve import Serving',
    '',
    `        self.serving = Serving(${python(file)}, ${python(className)}, upload=File.from_path, environment=${python(environment)})`,
    '        await self.serving.setup()',
  ]
}

function endpointLines(output: CogType): string[] {
  const many = output.kind === 'iterator'
  const given = 'request, input.model_dump(exclude_unset=True)'
  const predict = [
    '    @fal.endpoint("/")',
    '    async def predict(self, input: Input, request: Request) -> Answer:',
    `        return Answer(output=await self.serving.${many ? 'answers' : 'answer'}(${given}))`,
    ...cancelLines('/cancel', 'cancel'),
  ]
  if (!many) return predict
  return [
    ...predict,
    '',
    '    @fal.endpoint("/stream")',
    '    async def stream(self, input: Input, request: Request) -> StreamingResponse:',
    `        return StreamingResponse(self.serving.events(${given}), media_type="text/event-stream")`,
    ...cancelLines('/stream/cancel', 'cancel_stream'),
  ]
}

/** What the platform calls, on the same runner, for a request that is cancelled while it runs. */
const cancelLines = (path: string, method: string): string[] => [
  '',
  `    @fal.endpoint("${path}")`,
  `    async def ${method}(self, request: Request) -> dict[str, bool]:`,
  '        return self.serving.cancel(request)',
]

import { oneLine, secretName, type Conversion } from './conversion.ts'
import { inputClass, outputClasses } from './model-source.ts'
import type { CogType } from './predictor.ts'
import { docstring, python, pythonList } from './python-text.ts'

/** What marks a file as written by the converter, so that it may write it again. */
export const mark = 'carrick migrate cog'

/** The app: the predictor's inputs and outputs as pydantic models, and endpoints that call it. */
export function appSource(conversion: Conversion): string {
  const { predictor } = conversion.project
  const body = [inputClass(predictor), ...outputClasses(predictor), appClass(conversion)].join('\n\n\n')
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

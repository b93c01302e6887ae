import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { migrateCog } from './cog.ts'

let folder: string
let printed: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'carrick-')), 'My Model')
  await mkdir(folder)
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    printed = text
  })
})
afterEach(() => vi.restoreAllMocks())

const predictor = `from cog import BasePredictor, Input, Path, ConcatenateIterator
class Predictor(BasePredictor):
    async def predict(
        self,
        image: Path = Input(description='An "image"'),
        model_name: str = Input(default="a", choices=["a", "b"], regex="^(?!x)"),
        steps: int = Input(default=DEFAULT, ge=1, le=5),
        seed: int = Input(default=None),
    ) -> ConcatenateIterator[str]:
        '''Writes """texts"""'''
        yield "x"
`

async function project(cog: string, files: Record<string, string> = {}): Promise<void> {
  const all = { 'cog.yaml': `predict: "predict.py:Predictor"\n${cog}`, 'predict.py': predictor, ...files }
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text)
}
const made = (name: string) => readFile(join(folder, name), 'utf8')
const isPython = (text: string) =>
  execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: text })

test('an app with a Python environment is written beside the predictor, and says what it was made of', async () => {
  await project('build:\n  gpu: true\n  python_packages: ["torch==2.0", "cog==0.9"]\nconcurrency:\n  max: 3\nodd: 1', {
    'weights.txt': 'w',
    '.env': 'secret',
  })
  await migrateCog(folder, { json: true })
  const app = await made('fal_app.py')
  isPython(app)
  for (const part of [
    'app_name = "my-model"',
    'machine_type = "GPU"',
    'requirements = ["torch==2.0"]',
    'app_files = ["cog", "predict.py", "weights.txt"]',
    'max_multiplexing = 3',
    'image: str = Field(description="An \\"image\\"", json_schema_extra={"ui": {"field": "file"}})',
    'model_name: Literal["a", "b"] = Field(default="a", pattern="^(?!x)")',
    '# default of steps is in the predictor: DEFAULT',
    'steps: Optional[int] = Field(default=None, ge=1, le=5)',
    'seed: Optional[int] = Field(default=None)',
    'output: list[str]',
    '@fal.endpoint("/stream")',
  ])
    expect(app).toContain(part)
  expect(JSON.parse(printed)).toMatchObject({ app: 'my-model', kind: 'virtualenv', folder })
  const report = await made('MIGRATION.md')
  for (const key of ['odd', 'steps: default', 'cog==0.9']) expect(report).toContain(key)
  expect(await made('predict.py')).toBe(predictor)
  expect(await made('pyproject.toml')).toBe('[tool.fal.apps.my-model]\nref = "fal_app.py::App"\nauth = "private"\n')
})

test('what only an image can hold makes a Dockerfile, in the order of Cog', async () => {
  await project(
    'build:\n  python_version: "3.11.2"\n  system_packages: [ffmpeg, "git=1:2.3"]\n  python_requirements: needs.txt\n  run:\n    - echo "a b"\n    - command: fetch\n      mounts: [{type: secret, id: token, target: /t}]',
    { 'needs.txt': '--extra-index-url https://x\ntorch\n' },
  )
  await migrateCog(folder, {})
  const lines = (await made('Dockerfile')).split('\n')
  expect(lines[1]).toBe('FROM python:3.11-slim')
  expect(lines[2]).toContain('install -y --no-install-recommends ffmpeg git=1:2.3 &&')
  expect(lines.slice(3, 7)).toEqual([
    'COPY ["needs.txt","/tmp/requirements.txt"]',
    expect.stringMatching(/pip install --no-cache-dir -r \/tmp\/requirements\.txt$/),
    'RUN echo "a b"',
    'RUN --mount=type=secret,id=token,target=/t fetch',
  ])
  const app = await made('fal_app.py')
  isPython(app)
  expect(app).toContain('secrets={"token": "$TOKEN"}')
  expect(app).not.toContain('app_files')
  expect(printed).toContain('fal secrets set TOKEN=…')
})

test('types and choices that the app does not check are named', async () => {
  const source = 'class Predictor:\n    def predict(self, x: Tensor, y: float = Input(choices=[0.5, 1])) -> float: pass'
  await project('', { 'predict.py': source })
  await migrateCog(folder, { json: true })
  const { not_mapped: named } = JSON.parse(printed) as { not_mapped: { key: string }[] }
  expect(named.map(({ key }) => key)).toEqual(['x: type', 'y: choices'])
  expect(await made('fal_app.py')).toContain('x: Any = Field()\n    y: float = Field()')
})

test('a second time writes the same, and a pyproject.toml keeps what it had', async () => {
  await project('', { 'pyproject.toml': '[project]\nname = "x"\n' })
  await migrateCog(folder, {})
  const before = [await made('fal_app.py'), await made('pyproject.toml')]
  expect(before[1]).toMatch(/^\[project\]\nname = "x"\n\n\[tool\.fal\.apps\.my-model\]\n/)
  await migrateCog(folder, {})
  expect([await made('fal_app.py'), await made('pyproject.toml')]).toEqual(before)
})

test('--into writes into a copy and leaves the project as it was', async () => {
  await project('', { '.env': 'secret' })
  const into = join(folder, '..', 'copy')
  await migrateCog(folder, { into })
  expect((await readdir(folder)).toSorted()).toEqual(['.env', 'cog.yaml', 'predict.py'])
  expect((await readdir(into)).toSorted()).toEqual([
    'MIGRATION.md',
    'cog',
    'cog.yaml',
    'fal_app.py',
    'predict.py',
    'pyproject.toml',
  ])
})

describe('bad input changes nothing:', () => {
  test.each<[string, string, Record<string, string>, RegExp]>([
    ['a file of the same name that is somebody else’s', '', { 'fal_app.py': 'mine' }, /fal_app\.py is in the way/],
    ['a module that is called cog', '', { 'cog.py': 'mine' }, /cog\.py is in the way/],
    ['a pyproject.toml that is none', '', { 'pyproject.toml': 'a = [' }, /pyproject\.toml is not TOML/],
    [
      'requirements that are not there',
      'build:\n  python_requirements: none.txt',
      {},
      /none\.txt cannot be read: there is none/,
    ],
    ['a command of two lines', 'build:\n  run: ["a\\nb"]', {}, /a command is one line/],
    ['a package that is an option', 'build:\n  system_packages: ["--x"]', {}, /"--x" is no name of a Debian package/],
    ['a variable without a value', 'environment: [A]', {}, /"A" must be like NAME=value/],
  ])('%s', async (_, cog, files, sentence) => {
    await project(cog, files)
    const before = await readdir(folder)
    await expect(migrateCog(folder, {})).rejects.toThrow(sentence)
    expect(await readdir(folder)).toEqual(before)
  })

  test('an input that no app can have', async () => {
    await project('', { 'predict.py': 'class Predictor:\n    def predict(self, _x: str) -> str: pass' })
    await expect(migrateCog(folder, {})).rejects.toThrow(/cannot have an input that is called _x/)
  })

  test('a folder to write into that is not empty, or inside', async () => {
    await project('')
    await expect(migrateCog(folder, { into: join(folder, 'x') })).rejects.toThrow(/must be outside/)
    await expect(migrateCog(folder, { into: join(folder, '..') })).rejects.toThrow(/must be empty|must be outside/)
  })
})

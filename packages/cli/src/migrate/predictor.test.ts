import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPredictor } from './predictor.ts'

const read = (source: string) => readPredictor('predict.py', source, 'Predictor')
const predicting = (signature: string, before = '') =>
  read(`${before}\nclass Predictor(BasePredictor):\n    def predict(self, ${signature}\n        pass\n`)

test.each([
  ['str', { kind: 'str' }],
  ['cog.Path', { kind: 'path' }],
  ['Optional[Path]', { kind: 'optional', of: { kind: 'path' } }],
  ['"int | None"', { kind: 'optional', of: { kind: 'int' } }],
  ['typing.List[File]', { kind: 'list', of: { kind: 'file' } }],
  ['Union[str, int]', { kind: 'any' }],
  ['Literal["a", 1]', { kind: 'literal', values: ['a', 1] }],
  ['Tensor', { kind: 'any' }],
])('an input may be a %s', async (annotation, type) => {
  expect((await predicting(`x: ${annotation}) -> str:`)).inputs).toMatchObject([{ name: 'x', type, optional: false }])
})

test.each([
  ['Iterator[Path]', { kind: 'iterator', of: { kind: 'path' } }],
  ['ConcatenateIterator[str]', { kind: 'iterator', of: { kind: 'str' } }],
  ['dict', { kind: 'dict' }],
])('an output may be a %s', async (annotation, type) => {
  expect((await predicting(`x: str) -> ${annotation}:`)).output).toEqual(type)
})

test('an output of several values is read with all that it is made of, the inner ones first', async () => {
  const models =
    'class Face(BaseModel):\n    box: list[int]\nclass Output(BaseModel):\n    faces: list[Face]\n    mask: Optional[Path] = None'
  expect((await predicting(') -> Output:', models)).models).toEqual([
    { name: 'Face', fields: [{ name: 'box', type: { kind: 'list', of: { kind: 'int' } }, optional: false }] },
    {
      name: 'Output',
      fields: [
        { name: 'faces', type: { kind: 'list', of: { kind: 'model', name: 'Face' } }, optional: false },
        { name: 'mask', type: { kind: 'optional', of: { kind: 'path' } }, optional: true },
      ],
    },
  ])
})

test.each([
  ['NAMES', '["a", "b"]'],
  ['list(NAMES)', '("a", "b")'],
  ['NAMES.keys()', '{"a": load("a"), "b": load("b")}'],
  ['sorted(NAMES)', '["b", "a"]'],
  ['NAMES + ["b"]', '["a"]'],
])('choices are told from constants: %s of %s', async (choices, value) => {
  const { inputs } = await predicting(`x: str = Input(choices=${choices})) -> str:`, `NAMES = ${value}`)
  expect(inputs).toMatchObject([{ constraints: { choices: ['a', 'b'] }, unread: [] }])
})

test('what only running it would tell is left open, in its own words', async () => {
  const { inputs } = await predicting('x: int = Input(default=best(), ge=LEAST, le=9)) -> str:')
  expect(inputs).toMatchObject([
    {
      optional: true,
      constraints: { le: 9 },
      unread: [
        { what: 'default', source: 'best()' },
        { what: 'ge', source: 'LEAST' },
      ],
    },
  ])
})

test('a method is found in a base class, and `run` where `predict` is called so', async () => {
  const source =
    'class Base:\n    async def run(self, x: str = "y") -> str:\n        "Says"\nclass Predictor(Base):\n    pass'
  expect(await read(source)).toMatchObject({ method: 'run', isAsync: true, doc: 'Says', inputs: [{ default: 'y' }] })
})

test('nothing of the program is run', async () => {
  const trace = join(await mkdtemp(join(tmpdir(), 'carrick-')), 'trace')
  const touch = `open(${JSON.stringify(trace)}, "w")`
  const source = `${touch}\nclass Predictor:\n    def predict(self, x: str = Input(default=${touch})) -> str:\n        pass`
  await read(source)
  expect(existsSync(trace)).toBe(false)
})

test.each([
  ['class Predictor(:', /^predict\.py cannot be read: line 1: /],
  ['class Other:\n    pass', /it has no class Predictor; the classes there are: Other/],
  ['class Predictor:\n    pass', /neither a method predict nor run/],
  ['class Predictor:\n    def predict(self, **kwargs): pass', /\*\*kwargs/],
  ['x = "\u0000"', /^predict\.py cannot be read: /],
  [`x = ${'('.repeat(5_000)}`, /^predict\.py cannot be read: /],
])('what is no predictor is refused in a sentence: %j', async (source, sentence) => {
  await expect(read(source)).rejects.toThrow(sentence)
})

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Carrick } from '../carrick.ts'

/** What only an image can hold: a command of cog.yaml that leaves something in the system. */
const cog = `build:
  python_version: "3.11"
  python_packages: ["markdown==3.9"]
  run:
    - echo "made at build time" > /etc/made
predict: "predict.py:Predictor"
`
const predictor = `from cog import BasePredictor, Path
import markdown, os, tempfile

class Predictor(BasePredictor):
    def predict(self, text: str) -> Path:
        target = Path(tempfile.mkdtemp()) / "page.html"
        target.write_text(markdown.markdown(text) + open("/etc/made").read() + open("beside.txt").read())
        return target
`

test('a Cog project that changes its system becomes an app with an image of its own', async () => {
  await using carrick = await Carrick.start({ CARRICK_BACKEND: 'docker' })
  const folder = join(await mkdtemp(join(tmpdir(), 'carrick-cog-')), 'pages')
  await mkdir(folder)
  await writeFile(join(folder, 'cog.yaml'), cog)
  await writeFile(join(folder, 'predict.py'), predictor)
  await writeFile(join(folder, 'beside.txt'), 'beside it')
  const migrated = await carrick.carrick('migrate', 'cog', folder, '--json')
  expect(JSON.parse(migrated.stdout), migrated.stderr).toMatchObject({ kind: 'container' })
  const ended = await carrick.falIn(folder, ['deploy', 'pages'])
  expect(ended.code, ended.stderr + ended.stdout).toBe(0)
  const headers = { 'content-type': 'application/json' }
  const response = await carrick.ask('/tester/pages', { method: 'POST', headers, body: '{"text": "# One"}' })
  const { output } = (await response.json()) as { output: { url: string; content_type: string } }
  expect(output.content_type).toBe('text/html')
  const page = await (await fetch(output.url.replace('https:', 'http:'))).text()
  expect(page).toBe('<h1>One</h1>made at build time\nbeside it')
})

import { mark } from './app-source.ts'
import type { Conversion } from './conversion.ts'
import { mapped, notMapped } from './findings.ts'

/** MIGRATION.md: what was made of what, what was not, and how to go on. */
export function report(conversion: Conversion): string {
  const { project, kind } = conversion
  const { name } = project
  const left = notMapped(conversion)
  return `<!-- Written by \`${mark}\` -->

# ${name}: from Cog to an app

| File | What it is |
| --- | --- |
| fal_app.py | The app: inputs, outputs and endpoints. Yours to change |
| cog/ | Stands in for Cog's package, so that ${conversion.file} stays as it is |
${kind === 'container' ? '| Dockerfile | The image that the app runs in |\n' : ''}| pyproject.toml | \`[tool.fal.apps.${name}]\`: what \`fal deploy ${name}\` means |

\`\`\`sh
fal deploy ${name}
\`\`\`

## What was mapped

| Of Cog | Here |
| --- | --- |
${rows(mapped(conversion).map(({ key, to }) => [key, to]))}
## What was not

${left.length === 0 ? 'Nothing.\n' : `| Of Cog | What to know |\n| --- | --- |\n${rows(left.map(({ key, why }) => [key, why]))}`}
## Inputs and outputs

${inputsText(conversion)}
The answer is \`{"output": …}\`. A file is \`{"url", "content_type", "file_name", "file_size"}\`, kept by the server. ${streamText(conversion)}
Files are given as URLs (\`https:\`, \`http:\` or \`data:\`) and downloaded first; one that cannot be had is refused with status 422 and the
name of the input. The folder of the app can be read and not written to: write to /tmp, or to /data what is to stay.

## Calls

| Replicate | Here |
| --- | --- |
| \`replicate.run("owner/model", input={…})\` | \`fal_client.subscribe("owner/${name}", arguments={…})["output"]\` |
| \`replicate.predictions.create(…)\`, \`prediction.reload()\` | \`fal_client.submit(…)\`, \`.status()\`, \`.get()\` |
| \`webhook=\` | \`webhook_url=\`; it is told of the end only |
| \`prediction.cancel()\` | \`fal_client.cancel("owner/${name}", id)\`: the predictor sees the same exception |
`
}

function inputsText({ project }: Conversion): string {
  const { inputs } = project.predictor
  if (inputs.length === 0) return 'There are no inputs.\n'
  const lines = inputs.map(({ name, optional, constraints }) => [
    name,
    optional ? 'no' : 'yes',
    typeof constraints['description'] === 'string' ? constraints['description'] : '',
  ])
  return `| Input | Required | |\n| --- | --- | --- |\n${rows(lines)}`
}

function streamText({ project }: Conversion): string {
  if (project.predictor.output.kind !== 'iterator') return ''
  return 'It is the list of all that the predictor yields; `/stream` sends each as an event, as soon as it is there.'
}

const rows = (cells: readonly (readonly string[])[]) =>
  cells
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')).join(' | ')} |\n`)
    .join('')

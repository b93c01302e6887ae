import { homedir } from 'node:os'
import { keyOf } from '../config.ts'
import { allowedFor, described, settingNames } from './allowed.ts'

const introduction = `# Settings

<!-- Written from packages/server/src/config.ts by \`npm run docs\`. -->

A setting comes from a flag of \`carrick up\` (the commonest have one: \`--port\` is \`CARRICK_PORT\`), else from the variable
\`CARRICK_…\`, else from \`carrick.toml\` in the data folder, else it has its default. In the file its key is the variable's
name in lower case without \`CARRICK_\`, at the top level; several values are an array or a text with commas:

\`\`\`toml
port = 8700
host = "0.0.0.0"
name = ["gpubox", "gpubox.example.com"]
body_limit = 209715200
\`\`\`

\`carrick config check\` says whether all is in order, \`carrick config show\` what is in force and where it came from; both take the
flags of \`carrick up\`. A key that is no setting and a value that is not allowed are refused, with file and line. The file is read when
the server starts. It cannot set \`data\`: that says where the file is. An empty variable counts as absent.
`

/** docs/reference/settings.md, whole. */
export function settingsPage(): string {
  const rows = settingNames.map((name) => {
    const { description = '', default: standard = '' } = described(name)
    const value = String(standard).replace(homedir(), '~')
    const shown = value === '' ? '' : `\`${value}\``
    return `| \`${name}\` | \`${keyOf(name)}\` | ${description} | ${allowedFor(name)} | ${shown} |`
  })
  const head = '| Setting | In carrick.toml | Meaning | Allowed | Default |\n| --- | --- | --- | --- | --- |'
  return [introduction, head, ...rows, ''].join('\n').replace('| `data` |', '| – |')
}

import type { RunCommand } from './cog-config.ts'
import type { Conversion } from './conversion.ts'

/** The Dockerfile of an app whose packages are not all Python's, in the order in which Cog does it: the code comes last. */
export function dockerfile({ python, project, requirements }: Conversion): string {
  const { build } = project.config
  const system = (build.system_packages ?? []).map(systemPackage).join(' ')
  return `${[
    `FROM python:${python}-slim`,
    ...(system === ''
      ? []
      : [`RUN apt-get update && apt-get install -y --no-install-recommends ${system} && rm -rf /var/lib/apt/lists/*`]),
    ...(build.pre_install ?? []).map(runLine),
    ...packages(build.python_requirements, requirements),
    ...(build.run ?? []).map(runLine),
    'WORKDIR /app',
    ...project.entries.map(({ name, isFolder }) => `COPY ${JSON.stringify([name, isFolder ? `./${name}` : './'])}`),
  ].join('\n')}\n`
}

function packages(file: string | undefined, requirements: readonly string[]): string[] {
  if (file === undefined)
    return requirements.length === 0
      ? []
      : [`RUN ${JSON.stringify(['pip', 'install', '--no-cache-dir', ...requirements])}`]
  return [
    `COPY ${JSON.stringify([file, '/tmp/requirements.txt'])}`,
    // Cog's own package is not needed, and wants another pydantic.
    "RUN sed -Ei '/^(cog|coglet)[[:space:]]*([=<>!~@;[]|$)/d' /tmp/requirements.txt && pip install --no-cache-dir -r /tmp/requirements.txt",
  ]
}

function runLine(run: RunCommand): string {
  const { command, mounts } = typeof run === 'string' ? { command: run, mounts: [] } : run
  if (/[\r\n]/.test(command.trim()))
    throw new Error(`cog.yaml: build.run: a command is one line, and this one is not: ${command}`)
  return [
    'RUN',
    ...mounts.map(({ type, id, target }) => `--mount=type=${type},id=${id},target=${target}`),
    command.trim(),
  ].join(' ')
}

function systemPackage(name: string): string {
  if (/^[a-z0-9][a-z0-9+.-]*(=[\w.:+~-]+)?$/i.test(name)) return name
  throw new Error(`cog.yaml: build.system_packages: "${name}" is no name of a Debian package`)
}

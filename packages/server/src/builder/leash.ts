import { askProgram } from './program.ts'

const command: readonly string[] = ['setpriv', '--pdeathsig', 'KILL']

/**
 * The beginning of a command whose program ends with this process, also when that is killed: else a build would go on
 * without its server. Empty on machines that do not have the tool for it.
 */
export async function leash(variables: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const [tool = '', ...options] = command
  const works = await askProgram(tool, [...options, 'true'], variables)
  return works === undefined ? [] : command
}

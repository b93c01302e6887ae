import { fileURLToPath } from 'node:url'

/** Folders of what runs inside a Python runner first, and beside one. A published package brings them along beside its own code. */
export const bootstrap = programFolder('carrick_runner')
export const execHelper = programFolder('carrick_exec')
export const launchHelper = programFolder('carrick_launch')
/** What makes and describes environments inside images. */
export const imageHelper = programFolder('carrick_image')

function programFolder(name: string): string {
  return fileURLToPath(new URL(`../../../../runners/python/${name}`, import.meta.url))
}

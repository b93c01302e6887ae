import type { Config } from './config.ts'

/** By which containers know the machine that they are on: to them, `localhost` is their own. */
const nameInContainers = 'carrick.internal'

/** The name of the platform that only its runners use; undefined where it is a name like any other. */
export function ingressName({ CARRICK_BACKEND: backend }: Pick<Config, 'CARRICK_BACKEND'>): string | undefined {
  return backend === 'docker' ? nameInContainers : undefined
}

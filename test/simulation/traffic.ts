import { anyScale, createApp } from './operations.ts'
import type { World } from './world.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Calls per hour at noon; at night some sleep, and now and then comes a crowd. */
interface Load {
  readonly perHour: number
  readonly sleepsAtNight: boolean
  readonly crowds: boolean
}

const functionsPerHour = 4

const loads: readonly Load[] = [
  { perHour: 120, sleepsAtNight: false, crowds: false },
  { perHour: 30, sleepsAtNight: true, crowds: true },
  { perHour: 3, sleepsAtNight: false, crowds: false },
  { perHour: 0.5, sleepsAtNight: true, crowds: true },
  { perHour: 10, sleepsAtNight: true, crowds: false },
]

/** Keeps calls coming to as many apps as there are loads, until what it returns is called. */
export function startTraffic(world: World): () => void {
  const traffic = { isOver: false }
  loads.forEach((load, at) => follow(world, load, at, traffic))
  callFunctions(world, traffic)
  return () => void (traffic.isOver = true)
}

function follow(world: World, load: Load, at: number, traffic: { readonly isOver: boolean }): void {
  const { time, chance } = world
  // A name of a length of its own, by which its calls take their time; a deleted app is followed by another.
  const name = () => world.apps.find(({ app }) => app.name.startsWith(`app-${at}-`))?.app.id
  let made = 0
  const ensure = (): void => {
    if (traffic.isOver) return
    if (world.server !== undefined && name() === undefined) {
      const next = `app-${at}-${'x'.repeat(at)}${(made += 1)}`
      world.note(`create ${next}`)
      world.do(createApp(world, next, anyScale(world)))
    }
    time.after(60_000, ensure)
  }
  const next = (): void => {
    if (traffic.isOver) return
    time.after((-Math.log(1 - chance.next()) * hourMs) / load.perHour, next)
    const night = (time.now() - world.began) % dayMs < 7 * hourMs
    if (night && load.sleepsAtNight && chance.next() < 0.95) return
    const appId = name()
    if (appId === undefined) return
    const crowd = load.crowds && chance.next() < 0.05 ? chance.between(5, 40) : 1
    for (let each = 0; each < crowd; each += 1) {
      const isDirect = chance.next() < 0.3
      time.after(crowd === 1 ? 0 : chance.between(0, 3_000), () =>
        world.do(isDirect ? world.call(appId) : world.submit(appId)),
      )
    }
  }
  ensure()
  time.after(30_000, next)
}

/** Functions that are called alone, and now and then many times at once. */
function callFunctions(world: World, traffic: { readonly isOver: boolean }): void {
  const { time, chance } = world
  const next = (): void => {
    if (traffic.isOver) return
    time.after((-Math.log(1 - chance.next()) * hourMs) / functionsPerHour, next)
    const name = chance.pick(['train', 'evaluate'])
    const calls = chance.next() < 0.1 ? chance.between(2, 8) : 1
    for (let each = 0; each < calls; each += 1) world.do(world.run(name))
  }
  time.after(60_000, next)
}

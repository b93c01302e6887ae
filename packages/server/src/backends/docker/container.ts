import { readFile, rm } from 'node:fs/promises'
import type { Container } from 'dockerode'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address, Exceeded, Exit, Sighting } from '../../domain/runner.ts'
import { aborted } from '../../kit/aborted.ts'
import type { ExecCommand, ExecSession, RunnerSpec, RunnerUsage } from '../backend.ts'
import { Frozen } from '../frozen.ts'
import { listenersOf } from '../listeners.ts'
import { tooManyTasks, tooMuchMemory } from '../too-much.ts'
import { drain, whenDrained, type Drain } from '../process/output.ts'
import { Pace } from '../process/pace.ts'
import { bootId, isAlive, procOf, type ProcIdentity } from '../process/proc.ts'
import { notAlive, Sessions } from '../process/sessions.ts'
import { ContainerGroups } from './container-groups.ts'
import { portsOf } from './container-config.ts'
import { answerMs, isAway, statusOf, unless, wordsOf } from './engine.ts'
import { ranOutOfMemory } from './end-reason.ts'
import { startSession } from './exec.ts'
import { exitOf } from './exit.ts'
import { apart, type Said } from './frames.ts'
import { look, whenListening, type Listener } from './listening.ts'
import { makeContainer } from './make-container.ts'
import type { ContainerSetting } from './setting.ts'
import { hasOwnKernel } from './walls-runtime.ts'
import { usageOf } from './usage.ts'

/** As docker run tells that it is the engine that could not do it. */
const couldNotStart: Exit = { code: 125, signal: null }
const noSuchProgram: Exit = { code: 127, signal: null }
const killed: Exit = { code: null, signal: 'SIGKILL' }
const drainMs = 1_000
const retryMs = 100

/** Where an engine answers questions for names, in each network of a container. */
const enginesOwn = '127.0.0.11'

/** A runner of this server, from before its container exists until it is forgotten. */
export class RunnerContainer {
  readonly spec: RunnerSpec
  readonly #setting: ContainerSetting
  /** Aborted when it is to end before it has begun. */
  readonly #unwanted = new AbortController()
  /** Aborted when it has ended. */
  readonly #over = new AbortController()
  readonly #begun = Promise.withResolvers<void>()
  readonly #exited = Promise.withResolvers<void>()
  readonly #life: Promise<void>
  readonly #sessions = new Sessions()
  readonly #frozen = new Frozen({
    stop: async (abortSignal) => void (await unless([404], this.#mustLive().pause({ abortSignal }))),
    go: (signal) => this.#unpause(signal),
  })
  /** Whoever waits for the end of a command, by the engine's id of that. */
  readonly #commands = new Map<string, (code: number) => void>()
  #sighting: Sighting = { kind: 'starting' }
  #container: Container | undefined
  #init: ProcIdentity | undefined
  #groups: ContainerGroups | undefined
  #listener: Listener | undefined
  #isMet = false
  /** What it says is read, and not for the second time. */
  #isHeard = false
  #pipes: readonly (() => Promise<void>)[] = []
  #stopSignal = 'SIGTERM'
  #isTerminated = false
  #isKilled = false
  #ranOutAt: number | undefined
  #exceeded: Exceeded | undefined

  constructor(spec: RunnerSpec, setting: ContainerSetting) {
    this.spec = spec
    this.#setting = setting
    this.#life = this.#live().finally(() => this.#begun.resolve())
  }

  sighting(): Sighting {
    return this.#sighting
  }

  /** Resolves when its container runs or never will, or when it waits for its image or for the engine. */
  begun(): Promise<void> {
    return this.#begun.promise
  }

  /** Its container, while that runs. */
  get #living(): Container | undefined {
    return this.#isMet && !this.#over.signal.aborted ? this.#container : undefined
  }

  /** Where its programs listen, in its own network; undefined where that cannot be seen. */
  async listening(): Promise<readonly Address[] | undefined> {
    if (this.#living === undefined || this.#init === undefined) return undefined
    return (await listenersOf(this.#init.pid)).filter(({ host }) => host !== enginesOwn)
  }

  /** Whether its server listens: the engine's proxy takes connections for one that does not. */
  async isListening(): Promise<boolean> {
    const { signal } = this.#over
    return this.#listener !== undefined && !signal.aborted && (await look(this.#listener, signal)) === 'everywhere'
  }

  async usage(): Promise<RunnerUsage | undefined> {
    const container = this.#living
    return container && usageOf(container, this.#groups).catch(() => undefined)
  }

  /** Runs a command beside it. */
  async exec(command: ExecCommand): Promise<ExecSession> {
    const container = this.#living
    if (container === undefined) throw notAlive(this.spec.id)
    const whenEnded = async (execId: string) => {
      const code = await new Promise<number>((resolve) => this.#commands.set(execId, resolve))
      this.#commands.delete(execId)
      return code
    }
    const isEnding = () => this.#isKilled || this.#exceeded !== undefined
    const place = {
      container,
      init: this.#init,
      engine: this.#setting.engine,
      over: this.#over.signal,
      isEnding,
      whenEnded,
    }
    return this.#sessions.open(() => startSession(place, command))
  }

  /** A command beside it has ended. */
  commandEnded(execId: string, code: number): void {
    this.#commands.get(execId)?.(code)
  }

  /** Stops it in its tracks; one that has ended is left alone. */
  async freeze(signal: AbortSignal): Promise<void> {
    if (this.#living !== undefined) await this.#frozen.freeze(signal)
  }

  /** Waits for an engine that is away. */
  thaw(signal: AbortSignal): Promise<void> {
    return this.#frozen.thaw(signal)
  }

  async terminate(signal: AbortSignal): Promise<void> {
    if (this.#isTerminated || this.#over.signal.aborted) return
    this.#isTerminated = true
    const container = await this.#whole()
    await this.thaw(signal) // to end is work, and a signal waits for it
    if (container) await this.#signalTo(container, this.#stopSignal, signal)
  }

  async kill(signal: AbortSignal): Promise<void> {
    this.#isKilled = true
    const container = await this.#whole()
    if (container && !this.#over.signal.aborted) await this.#signalTo(container, 'SIGKILL', signal)
    await Promise.race([this.#exited.promise, aborted(signal)])
    signal.throwIfAborted()
  }

  /** The kernel has ended a process of it for want of memory. */
  ranOutOfMemory(): void {
    this.#ranOutAt = performance.now()
  }

  /** It wants more than it may have, and is ended; its log says so. */
  exceed(what: Exceeded, sentence: string): void {
    const container = this.#living
    if (container === undefined || this.#isKilled || this.#exceeded !== undefined) return
    this.#exceeded = what
    this.#say(sentence)
    this.#signalTo(container, 'SIGKILL', AbortSignal.timeout(answerMs)).catch((error: unknown) => {
      this.#exceeded = undefined // it is told again
      this.#setting.log.warn({ err: error, runner: this.spec.id }, 'a runner that wants too much could not be ended')
    })
  }

  /** It has ended. Its last words come first. */
  async died(code: number | null): Promise<void> {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    const exit = exitOf(code)
    const [exceeded] = await Promise.all([this.#whatExceeded(exit), ...this.#pipes.map((drained) => drained())])
    if (exceeded === 'oom') this.#say(tooMuchMemory(this.spec, this.spec.limits !== undefined))
    this.#exit({ kind: 'exited', exit, ...(exceeded === undefined ? {} : { exceeded }) })
  }

  async #whatExceeded(exit: Exit): Promise<Exceeded | undefined> {
    if (this.#exceeded !== undefined) return this.#exceeded
    const mayBe = exit.signal === 'SIGKILL' && !this.#isKilled && this.#container !== undefined
    const known = mayBe ? await this.#container?.inspect().catch(() => undefined) : undefined
    const ending = {
      exit,
      isKilled: this.#isKilled,
      isAsked: this.#isTerminated,
      isSaidToHaveRunOut: known?.State.OOMKilled ?? false,
      ...(this.#ranOutAt === undefined ? {} : { ranOutMsAgo: performance.now() - this.#ranOutAt }),
    }
    return ranOutOfMemory(ending) ? 'oom' : undefined
  }

  /** The engine is not heard: whether it has ended can be seen only of its process. */
  lookAlone(): void {
    if (this.#init !== undefined && !isAlive(this.#init)) void this.died(null)
  }

  /** The engine is heard again, and this is what it knows: nothing where it knows it no more. */
  async hears(state: string | undefined): Promise<void> {
    const container = this.#living
    if (container === undefined || this.#sighting.kind === 'pulling' || state === 'created') return
    if (state === 'running' || state === 'paused') return this.#isHeard ? undefined : this.#listenTo(container)
    const known = state === undefined ? undefined : await unless([404], container.inspect())
    await this.died(known?.State.ExitCode ?? null)
  }

  /** Removes its container and its folder. Only for one that exited. */
  async forget(): Promise<void> {
    const abortSignal = AbortSignal.timeout(answerMs)
    await this.#life
    if (this.#container) await unless([404, 409], this.#container.remove({ force: true, v: true, abortSignal }))
    await this.#setting.walls.forget(this.spec.id)
    await rm(this.#setting.folderOf(this.spec.id), { recursive: true, force: true })
  }

  /** Once nothing is under way: its container, if it came to have one. */
  async #whole(): Promise<Container | undefined> {
    this.#unwanted.abort()
    await this.#life
    return this.#container
  }

  #mustLive(): Container {
    if (this.#living === undefined) throw notAlive(this.spec.id)
    return this.#living
  }

  async #unpause(signal: AbortSignal): Promise<void> {
    for (;;) {
      const container = this.#living
      signal.throwIfAborted()
      if (container === undefined) return // it has ended
      try {
        return void (await unless([404], container.unpause({ abortSignal: signal })))
      } catch (error) {
        if (/not paused/i.test(wordsOf(error))) return
        if (!isAway(error)) throw error
        await pause(retryMs, undefined, { signal })
      }
    }
  }

  /** One that is stopped in its tracks hears nothing, and some engines refuse to end it. */
  async #signalTo(container: Container, name: string, signal: AbortSignal): Promise<void> {
    const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    try {
      await unless([404, 409], container.kill({ signal: name, abortSignal }))
    } catch (error) {
      if (!/paused/.test(wordsOf(error))) throw error
      await container.unpause({ abortSignal })
      await unless([404, 409], container.kill({ signal: name, abortSignal }))
    }
  }

  /** Until its container runs, or cannot. */
  async #live(): Promise<void> {
    const { signal } = this.#unwanted
    let isAsked = false
    while (!signal.aborted) {
      try {
        return await this.#launch()
      } catch (error) {
        if (isAway(error)) {
          if (!isAsked)
            this.#say(`The container engine is not there (${wordsOf(error)}): this runner starts when it is.`)
          isAsked = true
          this.#begun.resolve()
          await pause(retryMs, undefined, { signal }).catch(() => {})
          await this.#setting.whenBack(signal)
        } else return this.#refused(error)
      }
    }
    this.#exit({ kind: 'exited', exit: killed })
  }

  async #launch(): Promise<void> {
    const container = await makeContainer(this.spec, this.#setting, {
      signal: this.#unwanted.signal,
      onPulling: () => {
        this.#see({ kind: 'pulling' })
        this.#begun.resolve()
      },
      say: (text) => this.#say(text),
    })
    this.#container = container
    if (this.#sighting.kind === 'pulling') this.#see({ kind: 'starting' })
    await this.#listenTo(container)
    const abortSignal = AbortSignal.timeout(answerMs)
    await container.start({ abortSignal })
    await this.#setting.walls.begun(this.spec.id)
    await this.#meet(container)
  }

  /** What it says is read from now on. */
  async #listenTo(container: Container): Promise<void> {
    const { said } = this.#setting
    const connection = await container.attach({ stream: true, stdout: true, stderr: true, hijack: true })
    this.#isHeard = true
    connection.once('close', () => (this.#isHeard = false))
    const pace = new Pace()
    const pipes = apart(connection as unknown as Parameters<typeof apart>[0])
    const read = (stream: Said['stream']) => {
      const reader: Drain = drain(pipes[stream], (line) => said({ runnerId: this.spec.id, stream, ...line }), pace)
      return () => whenDrained(pipes[stream], reader, drainMs)
    }
    this.#pipes = [read('stdout'), read('stderr'), async () => void connection.end()]
  }

  /** Who it is and where it is reached. */
  async #meet(container: Container): Promise<void> {
    const { app } = portsOf(this.spec)
    const { State, NetworkSettings, Config, HostConfig } = await container.inspect({
      abortSignal: AbortSignal.timeout(answerMs),
    })
    this.#stopSignal = (Config as { readonly StopSignal?: string }).StopSignal ?? this.#stopSignal
    if (!State.Running) return this.died(State.ExitCode)
    this.#init = await identityOf(State.Pid, container.id)
    if (this.#init !== undefined) this.#groups = await ContainerGroups.of(this.#init.pid)
    this.#isMet = true
    const most = HostConfig.PidsLimit ?? undefined
    this.#groups?.whenTaskRefused(() => this.exceed('pids', tooManyTasks(most)), this.#over.signal)
    const port = Number(NetworkSettings.Ports[`${app}/tcp`]?.[0]?.HostPort)
    const address = { host: '127.0.0.1', port }
    const own = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? ''
    const pid = hasOwnKernel(HostConfig.Runtime) ? undefined : this.#init?.pid
    const listener = { port: app, address, ...(pid === undefined ? {} : { pid }) }
    this.#listener = listener
    const onHidden = () =>
      this.#say(
        `The server of this runner listens on 127.0.0.1:${app}, where nobody outside its container can reach it: it has to bind 0.0.0.0.`,
      )
    const inside = pid === undefined || own === '' ? undefined : { host: own, port: app }
    void this.#acceptOnce(whenListening(listener, onHidden, this.#over.signal), container, { inside, address })
  }

  async #acceptOnce(
    listens: Promise<boolean>,
    container: Container,
    { inside, address }: { readonly inside: Address | undefined; readonly address: Address },
  ): Promise<void> {
    if (!(await listens)) return
    if (inside !== undefined) await this.#openWay(inside, address)
    this.#accept(container, address)
  }

  /** Before anybody is told of its address. */
  async #openWay(address: Address, published: Address): Promise<void> {
    const { near } = this.#setting
    const entrance = this.#init && (await near?.entries.into({ init: this.#init, address, published }))
    if (near === undefined || entrance === undefined) return
    near.waysIn.open(published, entrance.dial)
    const close = () => {
      near.waysIn.close(published)
      void entrance.close()
    }
    if (this.#over.signal.aborted) close()
    else this.#over.signal.addEventListener('abort', close, { once: true })
  }

  #accept(container: Container, address: Address): void {
    this.#see({ kind: 'accepting', address })
    const bounds = this.#setting.walls.onceServing(this.spec)
    if (bounds === undefined) return
    container.update(bounds).catch((error: unknown) => {
      if (this.#over.signal.aborted) return
      this.#setting.log.warn({ err: error, runner: this.spec.id }, 'the CPU of a runner could not be bounded')
    })
  }

  /** The engine cannot make or start it. */
  #refused(error: unknown): void {
    if (this.#unwanted.signal.aborted) return this.#exit({ kind: 'exited', exit: killed })
    const words = wordsOf(error)
    this.#say(`The runner's container could not be started: ${words}`)
    this.#exit({ kind: 'exited', exit: isMissingProgram(error) ? noSuchProgram : couldNotStart })
  }

  #say(text: string): void {
    this.#setting.said({ runnerId: this.spec.id, stream: 'stderr', text })
  }

  #exit(sighting: Extract<Sighting, { kind: 'exited' }>): void {
    this.#over.abort()
    this.#see(sighting)
    this.#exited.resolve()
  }

  #see(next: Sighting): void {
    if (this.#sighting.kind === 'exited') return
    this.#sighting = next
    this.#setting.changed(this.spec.id)
  }
}

const isMissingProgram = (error: unknown) =>
  [400, 404, 500].includes(statusOf(error) ?? 0) &&
  /executable file not found|no such file or directory/.test(wordsOf(error))

/** The process of that number, if it is the container's: an engine may count in another namespace than we do. */
async function identityOf(pid: number, container: string): Promise<ProcIdentity | undefined> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  const startTime = groups.includes(container) ? procOf(pid)?.startTime : undefined
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() }
}

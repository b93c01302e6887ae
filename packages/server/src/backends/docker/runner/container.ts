import { rm } from 'node:fs/promises'
import type { Container } from 'dockerode'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address, Exceeded, Exit, Sighting } from '../../../domain/runner.ts'
import { aborted } from '../../../kit/aborted.ts'
import type { ExecCommand, ExecSession, RunnerSpec, RunnerUsage } from '../../backend.ts'
import { Frozen } from '../../frozen.ts'
import { listenersOf } from '../../listeners.ts'
import { tooManyTasks, tooMuchMemory } from '../../too-much.ts'
import { isAlive, type ProcIdentity } from '../../process/proc.ts'
import { notAlive, Sessions } from '../../process/sessions.ts'
import { ContainerGroups } from './groups.ts'
import { answerMs, isAway, statusOf, unless, wordsOf } from '../engine/engine.ts'
import { ranOutOfMemory } from './end-reason.ts'
import { startSession } from './exec.ts'
import { exitOf } from './exit.ts'
import { hear, type Hearing } from './hearing.ts'
import { identityOf } from './identity.ts'
import { look, whenListening, type Listener } from './listening.ts'
import { makeContainer } from './make.ts'
import { metOf } from './meeting.ts'
import type { ContainerSetting } from '../setting.ts'
import { signalTo, unpause } from './signalling.ts'
import { usageOf } from './usage.ts'

/** As docker run tells that it is the engine that could not do it. */
const couldNotStart: Exit = { code: 125, signal: null }
const noSuchProgram: Exit = { code: 127, signal: null }
const killed: Exit = { code: null, signal: 'SIGKILL' }
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
    go: (signal) => unpause(() => this.#living, signal),
  })
  /** Whoever waits for the end of a command, by the engine's id of that. */
  readonly #commands = new Map<string, (code: number) => void>()
  #sighting: Sighting = { kind: 'starting' }
  #container: Container | undefined
  #init: ProcIdentity | undefined
  #groups: ContainerGroups | undefined
  #listener: Listener | undefined
  #isMet = false
  #hearing: Hearing | undefined
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
    if (container) await signalTo(container, this.#stopSignal, signal)
  }

  async kill(signal: AbortSignal): Promise<void> {
    this.#isKilled = true
    const container = await this.#whole()
    if (container && !this.#over.signal.aborted) await signalTo(container, 'SIGKILL', signal)
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
    signalTo(container, 'SIGKILL', AbortSignal.timeout(answerMs)).catch((error: unknown) => {
      this.#exceeded = undefined // it is told again
      this.#setting.log.warn({ err: error, runner: this.spec.id }, 'a runner that wants too much could not be ended')
    })
  }

  /** It has ended. Its last words come first. */
  async died(code: number | null): Promise<void> {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    const exit = exitOf(code)
    const [exceeded] = await Promise.all([this.#whatExceeded(exit), this.#hearing?.lastWords()])
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
    if (state === 'running' || state === 'paused')
      return this.#hearing?.isOpen() === true ? undefined : this.#listenTo(container)
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
    this.#hearing = await hear(container, (stream, line) => said({ runnerId: this.spec.id, stream, ...line }))
  }

  /** Who it is and where it is reached. */
  async #meet(container: Container): Promise<void> {
    const known = await container.inspect({ abortSignal: AbortSignal.timeout(answerMs) })
    if (!known.State.Running) return this.died(known.State.ExitCode)
    const init = (this.#init = await identityOf(known.State.Pid, container.id))
    if (init !== undefined) this.#groups = await ContainerGroups.of(init.pid)
    const { address, listener, inside, stopSignal, mostTasks } = metOf(known, this.spec, init)
    this.#stopSignal = stopSignal ?? this.#stopSignal
    this.#isMet = true
    this.#groups?.whenTaskRefused(() => this.exceed('pids', tooManyTasks(mostTasks)), this.#over.signal)
    this.#listener = listener
    const listens = whenListening(listener, () => this.#say(hiddenAt(listener.port)), this.#over.signal)
    void this.#acceptOnce(listens, container, { inside, address })
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

const hiddenAt = (port: number) =>
  `The server of this runner listens on 127.0.0.1:${port}, where nobody outside its container can reach it: it has to bind 0.0.0.0.`

const isMissingProgram = (error: unknown) =>
  [400, 404, 500].includes(statusOf(error) ?? 0) &&
  /executable file not found|no such file or directory/.test(wordsOf(error))

import type { FileHandle } from 'node:fs/promises'
import type { Writable } from 'node:stream'

/** Read ahead while the piece before is sent. */
const pieceBytes = 512 * 1024

/**
 * Sends bytes of a file, `end` included, through two buffers that are used again and again: a new one for each piece would
 * cost more than to send it. Rejects when the file is shorter or the receiver leaves. The receiver is not ended.
 */
export async function sendFile(
  file: FileHandle,
  { start, end }: { start: number; end: number },
  to: Writable,
): Promise<void> {
  const size = Math.min(pieceBytes, end - start + 1)
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const
  const left = whenClosed(to)
  let sent: Promise<void> = Promise.resolve()
  let at = start
  for (let turn: 0 | 1 = 0; at <= end; turn = turn === 0 ? 1 : 0) {
    const { bytesRead } = await file.read(buffers[turn], 0, Math.min(size, end - at + 1), at)
    await Promise.race([sent, left.closed])
    if (bytesRead === 0) throw new Error(`a file ended ${end - at + 1} bytes too early`)
    sent = written(to, buffers[turn].subarray(0, bytesRead))
    sent.catch(() => {}) // it is waited for below
    at += bytesRead
  }
  await Promise.race([sent, left.closed])
  left.forget()
}

function written(to: Writable, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => to.write(bytes, (error) => (error ? reject(error) : resolve())))
}

/** Rejects when the receiver is closed. Not all kinds of it call back for what was written then. */
function whenClosed(to: Writable) {
  let forget = () => {}
  const closed = new Promise<never>((_, reject) => {
    const onClose = () => reject(new Error('the receiver left'))
    if (to.destroyed) onClose()
    to.once('close', onClose)
    forget = () => to.off('close', onClose)
  })
  closed.catch(() => {}) // whoever races it hears of it
  return { closed, forget }
}

import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/**
 * The machine's addresses but those of its loopback. Node leaves out those of an interface without a carrier, such as a bridge that
 * no container is at; the machine answers there all the same, so the kernel's own tables are read beside it.
 */
export function ownAddresses(read: (file: string) => string = text): readonly string[] {
  const seen = Object.values(networkInterfaces()).flatMap((all = []) => all.filter(({ internal }) => !internal))
  const told = [...localIn(read('/proc/net/fib_trie')), ...spelled(read('/proc/net/if_inet6'))]
  return [...new Set([...seen.map(({ address }) => address), ...told])]
}

/** A leaf of the kernel's routes, and below it that it is the machine itself (`Documentation/networking/fib_trie.rst`). */
function localIn(trie: string): readonly string[] {
  const leaves = trie.matchAll(/\|-- ([\d.]+)\n(?:\s+\/\d+ .*\n)*?\s+\/32 host LOCAL/g)
  return [...leaves].flatMap(([, address = '']) => (address.startsWith('127.') ? [] : [address]))
}

/** 32 digits of an address begin each line; `lo` ends that of the loopback. */
function spelled(table: string): readonly string[] {
  const lines = table.matchAll(/^([0-9a-f]{32}) .*?(\S+)$/gm)
  return [...lines].flatMap(([, digits = '', name]) => (name === 'lo' ? [] : [digits.match(/.{4}/g)!.join(':')]))
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // no Linux, or no IPv6
  }
}

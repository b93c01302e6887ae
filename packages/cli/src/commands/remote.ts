import { Command } from 'commander'
import { json, output } from './options.ts'

export function login(): Command {
  return new Command('login')
    .description('Keeps the address, a key and the CA of a server on another machine, for `--url` and CARRICK_URL')
    .argument('<url>', 'such as https://gpubox:8700')
    .option('--key <->', 'read the key from stdin (else: CARRICK_KEY, else it is asked for)')
    .option('--fingerprint <sha256>', 'trust the CA of the server if it has this fingerprint, and do not ask')
    .option('--ca <file>', 'trust this CA instead of the one that the server hands out')
    .option('--default', 'make it what commands without an address mean')
    .option('--no-default', 'do not')
    .addOption(json())
    .addOption(output())
    .action(async (address, flags) => (await import('../login.ts')).login(address, flags))
}

export function logout(): Command {
  return new Command('logout')
    .description('Forgets a server on another machine, and the key for it')
    .argument('<url>', 'as `carrick servers` lists it')
    .addOption(json())
    .addOption(output())
    .action(async (address, flags) => (await import('../servers.ts')).logout(address, flags))
}

export function servers(): Command {
  return new Command('servers')
    .description('Lists the servers that you logged in to')
    .addOption(json())
    .addOption(output())
    .action(async (flags) => (await import('../servers.ts')).listServers(flags))
}

// Node's basic-ftp: every verb of the matrix on one control connection.
//
//     node basic_ftp.mjs explicit|implicit 1.2|1.3|any PORT USER PASSWORD FOLDER-OF-MODULES
//
// It works in the current folder, prints the listing on stdout and what failed on stderr.
import { createRequire } from "node:module"
import { statSync } from "node:fs"

const [mode, tls, port, user, password, modules] = process.argv.slice(2)
const { Client } = createRequire(modules + "/")("basic-ftp")

async function connected() {
    const client = new Client(60_000)
    const versions = tls === "any" ? {} : { minVersion: `TLSv${tls}`, maxVersion: `TLSv${tls}` }
    await client.access({
        host: "127.0.0.1",
        port: Number(port),
        user,
        password,
        secure: mode === "implicit" ? "implicit" : true,
        secureOptions: { rejectUnauthorized: false, ...versions },
    })
    return client
}

const steps = {
    list: async (client) => {
        for (const entry of await client.list()) console.log(entry.size, entry.name)
    },
    upload: (client) => client.uploadFrom("up", "up"),
    download: (client) => client.downloadTo("down", "down"),
    "resume download": (client) => client.downloadTo("cut", "cut", statSync("cut").size),
    "resume upload": async (client) => {
        const there = await client.size("half")
        await client.appendFrom("half", "half", { localStart: there })
    },
    rename: (client) => client.rename("old", "new"),
    delete: (client) => client.remove("gone"),
}

let client = await connected()
for (const [name, step] of Object.entries(steps)) {
    try {
        await step(client)
    } catch (why) {
        console.error(`${name}: ${why}`)
        client.close()
        client = await connected()
    }
}
client.close()

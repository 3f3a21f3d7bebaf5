// The broker aedes, with the rules that a test wants: `node broker.mjs '{"port": 1883}'`. Other keys are `user` and `password` of
// the only one who is let in, and the topic that is `forbidden`.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'

const rules = JSON.parse(process.argv[2])
const broker = await Aedes.createBroker()
if (rules.user) {
  broker.authenticate = (_client, user, password, done) => {
    done(null, user === rules.user && password?.toString() === rules.password)
  }
}
// An error closes the connection: so do AWS IoT Core and others with a topic that is not allowed.
broker.authorizePublish = (_client, packet, done) => {
  done(packet.topic === rules.forbidden ? new Error(`${packet.topic} is forbidden`) : null)
}
createServer(broker.handle).listen(rules.port, '127.0.0.1')

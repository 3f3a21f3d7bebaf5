//! Does the stack do what `embedded_nal` and the core ask of a network, whatever the cable and the peer do?
//!
//! | module | question |
//! |---|---|
//! | `connecting` | how do attempts to connect end? |
//! | `closing` | who hears what when a connection ends? |
//! | `carrying` | does every byte arrive, once and in order? |
//! | `naming` | how do name look-ups end? |
//! | `turns` | how much is done in one turn? |
//! | `addressing` | what becomes of connections when the address goes and comes? |

mod addressing;
mod carrying;
mod closing;
mod connecting;
mod lab;
mod naming;
mod turns;

//! The spool between real parts: a daemon that is killed, storage that fails, and what must have arrived all the same.
//!
//! | module | question |
//! |---|---|
//! | [`broker`] | which broker notes what it acknowledges, and goes away when it is told to? |
//! | [`ledger`] | what must arrive after a kill, and what may arrive twice? |
//! | [`life`] | what is killed when, and under which load? |
//! | [`crowd`] | many kills, in some chains at a time |
//! | [`figures`] | what does a sample cost on storage, here and with what others use? |

pub mod broker;
pub mod crowd;
pub mod figures;
pub mod ledger;
pub mod life;

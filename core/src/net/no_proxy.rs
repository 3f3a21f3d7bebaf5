//! A build without the feature `proxy`: the names of `proxy.rs`, of which there are no values, so that all that would use one is left out.

use core::convert::Infallible;
use core::fmt::{self, Display, Formatter};
use core::marker::PhantomData;

use super::Network;
use super::fault::{ObstacleOf, ReasonText};
use super::link::Target;
use crate::secret::Secrets;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Proxy<'a> {
    #[must_use]
    pub fn host(&self) -> &'a str {
        match self.0 {}
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        match self.0 {}
    }

    #[must_use]
    pub fn login(&self) -> Option<Infallible> {
        match self.0 {}
    }
}

pub(super) struct Tunnel(Infallible);

impl Tunnel {
    pub fn through(proxy: &Proxy<'_>) -> Self {
        match proxy.0 {}
    }

    pub fn advance<N: Network>(
        &mut self,
        _: &mut N,
        _: &mut N::TcpSocket,
        _: Target<'_>,
    ) -> Result<bool, ObstacleOf<N>> {
        match self.0 {}
    }

    pub fn said(&self, _: Secrets<'_>, _: &mut ReasonText) {
        match self.0 {}
    }
}

pub struct Refusal(Infallible);

impl Refusal {
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self.0 {}
    }
}

impl Display for Refusal {
    fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

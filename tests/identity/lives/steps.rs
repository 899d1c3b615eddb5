//! What may happen to a code, a token or a session, in any order.

use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Debug, Clone)]
pub enum Step {
    Authorize {
        app: usize,
    },
    Exchange {
        code: Index,
        right_app: bool,
        right_verifier: bool,
    },
    SignIn,
    Refresh {
        token: Index,
        right_door: bool,
    },
    Use {
        token: Index,
    },
    Revoke {
        session: Index,
        by_refresh: bool,
        own: bool,
    },
    SignOut {
        session: Index,
    },
    Everywhere,
    SwitchUser,
    SwitchApp {
        app: usize,
    },
    /// More than a minute passes for a code, ten seconds for a spent refresh token, a day of rest for a session.
    Lapse {
        code: Index,
    },
    Age {
        token: Index,
    },
    Rest {
        session: Index,
    },
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (index, often) = (any::<Index>, || prop::bool::weighted(0.85));
    let step = prop_oneof![
        4 => (0..2usize).prop_map(|app| Step::Authorize { app }),
        6 => (index(), often(), often()).prop_map(|(code, right_app, right_verifier)| Step::Exchange { code, right_app, right_verifier }),
        1 => Just(Step::SignIn),
        8 => (index(), often()).prop_map(|(token, right_door)| Step::Refresh { token, right_door }),
        6 => index().prop_map(|token| Step::Use { token }),
        1 => (index(), any::<bool>(), often()).prop_map(|(session, by_refresh, own)| Step::Revoke { session, by_refresh, own }),
        1 => index().prop_map(|session| Step::SignOut { session }),
        1 => Just(Step::Everywhere),
        1 => Just(Step::SwitchUser),
        1 => (0..2usize).prop_map(|app| Step::SwitchApp { app }),
        1 => index().prop_map(|code| Step::Lapse { code }),
        2 => index().prop_map(|token| Step::Age { token }),
        1 => index().prop_map(|session| Step::Rest { session }),
    ];
    proptest::collection::vec(step, 6..28)
}

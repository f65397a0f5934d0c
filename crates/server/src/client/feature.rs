//! What a client may do in a channel, and what its subscription gets.
//!
//! The rules are Centrifugo's: a token, or the user's name in the channel's, or what the namespace allows.

use protocol::centrifugo::Subscribe;

use crate::{
    auth::SubscriptionToken,
    channels::Wish,
    identity::{Identity, Overrides},
    namespaces::{RoomOptions, is_private, users_of},
};

/// A verb in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Publish,
    Presence,
    History,
}

/// Whether a client without a token for a room may subscribe to it.
pub(crate) fn may_subscribe(who: &Identity, channel: &str, options: &RoomOptions) -> bool {
    if who.may_subscribe(channel) {
        return true;
    }
    if is_private(channel) {
        return false;
    }
    if let Some(mut users) = users_of(channel) {
        return options.allow_user_limited_channels
            && !who.is_anonymous()
            && users.any(|user| user == who.user);
    }
    options.allow_subscribe_for_client
        && (!who.is_anonymous() || options.allow_subscribe_for_anonymous)
}

/// Whether a client may do this in a room.
pub(crate) fn may(
    verb: Verb,
    who: &Identity,
    channel: &str,
    options: &RoomOptions,
    subscribed: bool,
) -> bool {
    let o = options;
    let (granted, every, subscribing, anonymous) = match verb {
        Verb::Publish => (
            who.may_publish(channel),
            o.allow_publish_for_client,
            o.allow_publish_for_subscriber,
            o.allow_publish_for_anonymous,
        ),
        Verb::Presence => (
            who.may_subscribe(channel),
            o.allow_presence_for_client,
            o.allow_presence_for_subscriber,
            o.allow_presence_for_anonymous,
        ),
        Verb::History => (
            who.may_subscribe(channel),
            o.allow_history_for_client,
            o.allow_history_for_subscriber,
            o.allow_history_for_anonymous,
        ),
    };
    let anyhow = every && !is_private(channel) && users_of(channel).is_none();
    granted || ((anyhow || subscribing && subscribed) && (!who.is_anonymous() || anonymous))
}

/// What a subscription to a room gets of what it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent features")]
pub(crate) struct Features {
    pub(crate) positioned: bool,
    pub(crate) recoverable: bool,
    pub(crate) presence: bool,
    /// Others are told that it comes and goes.
    pub(crate) emits: bool,
    /// It is told of others.
    pub(crate) join_leave: bool,
}

impl Features {
    /// Those of a channel of jobs.
    pub(crate) const JOB: Self = Self {
        positioned: true,
        recoverable: true,
        presence: false,
        emits: false,
        join_leave: false,
    };

    /// Those of a room.
    pub(crate) fn of_room(
        who: &Identity,
        channel: &str,
        options: &RoomOptions,
        wants: &Subscribe<'_>,
        token: Option<&SubscriptionToken>,
    ) -> Self {
        let overrides = token.map_or_else(Overrides::default, |token| token.grant.overrides);
        Self::with(who, channel, options, wants, overrides)
    }

    /// The same with what a token replaces.
    pub(crate) fn with(
        who: &Identity,
        channel: &str,
        options: &RoomOptions,
        wants: &Subscribe<'_>,
        overrides: Overrides,
    ) -> Self {
        let history = options.has_history();
        let reads = may(Verb::History, who, channel, options, true);
        let sees = may(Verb::Presence, who, channel, options, true);
        let recoverable = history
            && (overrides.force_recovery.unwrap_or(options.force_recovery)
                || wants.recoverable && (options.allow_recovery || reads));
        let positioned = history
            && (recoverable
                || overrides
                    .force_positioning
                    .unwrap_or(options.force_positioning)
                || wants.positioned && (options.allow_recovery || reads));
        let emits = overrides.join_leave.unwrap_or(options.join_leave);
        let force = overrides
            .force_push_join_leave
            .unwrap_or(options.force_push_join_leave);
        Self {
            positioned,
            recoverable,
            presence: overrides.presence.unwrap_or(options.presence),
            emits,
            join_leave: emits && (force || wants.join_leave && sees),
        }
    }

    /// What the channel is asked for.
    pub(crate) const fn wish(self, server_side: bool) -> Wish {
        Wish {
            positioned: self.positioned,
            join_leave: self.join_leave,
            server_side,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::centrifugo::Subscribe;

    use super::{Features, Verb, may, may_subscribe};
    use crate::{identity::Identity, namespaces::RoomOptions};

    fn user(name: &str) -> Identity {
        Identity {
            user: name.to_owned(),
            ..Identity::clone(&Identity::anonymous())
        }
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_switched_on() {
        let off = RoomOptions::default();
        for who in [user(""), user("7")] {
            assert!(!may_subscribe(&who, "news", &off));
            for verb in [Verb::Publish, Verb::Presence, Verb::History] {
                assert!(!may(verb, &who, "news", &off, true));
            }
        }
        let on = RoomOptions {
            allow_subscribe_for_client: true,
            ..off
        };
        assert!(may_subscribe(&user("7"), "news", &on));
        assert!(!may_subscribe(&user(""), "news", &on));
        assert!(!may_subscribe(&user("7"), "$news", &on));
    }

    #[test]
    fn a_channel_of_users_is_theirs_alone() {
        let options = RoomOptions {
            allow_subscribe_for_client: true,
            allow_publish_for_client: true,
            allow_user_limited_channels: true,
            ..RoomOptions::default()
        };
        assert!(may_subscribe(&user("7"), "dialog#7,42", &options));
        assert!(!may_subscribe(&user("8"), "dialog#7,42", &options));
        assert!(!may_subscribe(&user(""), "dialog#", &options));
        assert!(!may(
            Verb::Publish,
            &user("8"),
            "dialog#7,42",
            &options,
            false
        ));
        let off = RoomOptions {
            allow_user_limited_channels: false,
            ..options
        };
        assert!(!may_subscribe(&user("7"), "dialog#7", &off));
    }

    #[test]
    fn subscribers_may_what_others_may_not() {
        let options = RoomOptions {
            allow_publish_for_subscriber: true,
            ..RoomOptions::default()
        };
        assert!(!may(Verb::Publish, &user("7"), "news", &options, false));
        assert!(may(Verb::Publish, &user("7"), "news", &options, true));
        assert!(!may(Verb::Publish, &user(""), "news", &options, true));
    }

    #[test]
    fn features_are_given_where_they_are_allowed_and_silently_left_out_elsewhere() {
        let wants = Subscribe {
            positioned: true,
            recoverable: true,
            join_leave: true,
            ..Subscribe::default()
        };
        let who = user("7");
        let plain = RoomOptions::default();
        assert_eq!(
            Features::of_room(&who, "news", &plain, &wants, None),
            Features::default()
        );
        let history = RoomOptions {
            history_size: 5,
            history_ttl_secs: 60,
            allow_recovery: true,
            join_leave: true,
            allow_presence_for_client: true,
            ..plain
        };
        let all = Features::of_room(&who, "news", &history, &wants, None);
        assert!(all.positioned && all.recoverable && all.emits && all.join_leave);
        let asks_nothing = Subscribe::default();
        let none = Features::of_room(&who, "news", &history, &asks_nothing, None);
        assert!(!none.positioned && !none.recoverable && none.emits && !none.join_leave);
    }
}

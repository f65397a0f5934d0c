//! The codes of errors, disconnects and unsubscribes, as Centrifugo has them, so that SDKs react in the right way.

use crate::ErrorCode;

/// Why a command is refused. Its code and whether trying again makes sense decide what an SDK does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    /// 100 to 399 are the protocol's, 400 to 1999 ours.
    pub code: u32,
    /// A sentence; never empty.
    pub message: String,
    /// Whether the same may work in a while.
    pub temporary: bool,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal $message:literal $temporary:literal;)*) => {
        impl ClientError {
            $($(#[$doc])*
            pub fn $name() -> Self {
                Self { code: $code, message: $message.to_owned(), temporary: $temporary }
            })*
        }
    };
}

errors! {
    /// Redis is away, or something broke.
    internal = 100 "internal server error" true;
    /// The namespace of the channel is not served here.
    unknown_channel = 102 "unknown channel" false;
    /// The token does not allow it.
    permission_denied = 103 "permission denied" false;
    /// There is no such rpc method.
    method_not_found = 104 "method not found" false;
    /// The connection is subscribed to the channel.
    already_subscribed = 105 "already subscribed" false;
    /// A limit of the connection.
    limit_exceeded = 106 "limit exceeded" false;
    /// A parameter is missing or wrong.
    bad_request = 107 "bad request" false;
    /// The feature is off for the channel, or not there at all.
    not_available = 108 "not available" false;
    /// SDKs get another token and try again.
    token_expired = 109 "token expired" false;
    /// The expiry of the connection or subscription is over although its token is valid.
    expired = 110 "expired" false;
    /// More commands in a time than may be.
    too_many_requests = 111 "too many requests" true;
    /// The history does not go on from there.
    unrecoverable_position = 112 "unrecoverable position" false;
}

impl ClientError {
    /// A refusal of a job verb: our code leads the message.
    pub fn job(code: ErrorCode, why: &impl std::fmt::Display) -> Self {
        let (number, temporary) = match code {
            ErrorCode::NotFound => (404, false),
            ErrorCode::Conflict => (409, false),
            ErrorCode::TooLarge => (413, false),
            ErrorCode::QueueFull => (429, true),
            ErrorCode::Unavailable => (503, true),
            _ => (400, false),
        };
        Self {
            code: number,
            message: format!("{code}: {why}"),
            temporary,
        }
    }
}

macro_rules! closes {
    ($(#[$doc:meta])* $type:ident { $($(#[$each:meta])* $name:ident = $code:literal $reason:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$each])* $name,)*
        }

        impl $type {
            /// The code on the wire.
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// What goes with it: words, since SDKs read JSON in it as something else.
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }
        }
    };
}

closes! {
    /// Why a session is closed. After codes below 3500 an SDK connects again.
    Disconnect {
        /// The server stops.
        Shutdown = 3001 "shutdown";
        /// Something broke.
        ServerError = 3004 "internal server error";
        /// The token expired and was not renewed in time.
        Expired = 3005 "connection expired";
        /// That of a server-side subscription.
        SubExpired = 3006 "subscription expired";
        /// The client reads more slowly than messages come.
        Slow = 3008 "slow";
        /// The position of a server-side subscription is lost.
        InsufficientState = 3010 "insufficient state";
        /// Asked for by a backend.
        ForceReconnect = 3011 "force reconnect";
        /// No answer to a ping.
        NoPong = 3012 "no pong";
        /// Far more commands than may be.
        TooManyRequests = 3013 "too many requests";
        /// The token is wrong.
        InvalidToken = 3500 "invalid token";
        /// A frame or command breaks the rules.
        BadRequest = 3501 "bad request";
        /// No session was opened in time.
        Stale = 3502 "stale";
        /// Asked for by a backend.
        ForceDisconnect = 3503 "force disconnect";
        /// The user has too many connections.
        ConnectionLimit = 3504 "connection limit";
        /// The token asks for too many channels.
        ChannelLimit = 3505 "channel limit";
        /// Protobuf was asked for, and JSON is spoken here.
        InappropriateProtocol = 3506 "inappropriate protocol";
        /// Not allowed.
        PermissionDenied = 3507 "permission denied";
        /// Too many commands were refused.
        TooManyErrors = 3509 "too many errors";
    }
}

closes! {
    /// Why the server ends a subscription. After codes from 2500 on an SDK subscribes again.
    Unsubscribe {
        /// Asked for by a backend.
        Server = 2000 "server unsubscribe";
        /// The position is lost.
        InsufficientState = 2500 "insufficient state";
        /// The token of the subscription expired and was not renewed in time.
        Expired = 2501 "subscription expired";
    }
}

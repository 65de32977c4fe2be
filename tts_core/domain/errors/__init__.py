"""The one exception tree. Every error has a stable code and says what happened and what to do next.

    StudioError
    ├── InvalidRequest          the caller can mend it (HTTP 422)
    │   ├── EmptyText · TextTooLong · InvalidValue · UnknownLanguage · UnsupportedFormat
    │   ├── InstructNotSupported · InstructRequired · SpeedNotSupported · CloneNotSupported · ReferenceRequired
    │   ├── AudioUnreadable · RecordingTooLong · CodesUnreadable · VoicePromptInvalid
    │   ├── TranscriptMissing · UnknownSpokenLanguage · AmbiguousVoice · PrecisionNotSupported · DeviceUnavailable
    │   ├── OutputExists · OutputUnwritable · InvalidAccount
    │   ├── SpeakerVectorMisfit
    │   ├── UnknownProvider · LanguageNotServed     (400)
    ├── NotFound                (404)
    │   ├── UnknownModelKey · UnknownVoice · UnknownTake · UnknownFile · UnknownJob · UnknownUser · UnknownKey
    ├── Conflict                not in the state it is in (409)
    │   ├── ModelInUse · ModelInMemory · ModelBeingChanged · ModelNotLoaded · ModelNotReady
    │   ├── VoiceNotReady · JobNotRetryable · ConsentMissing · TranscriberMissing · EmbedderMissing · UserExists
    ├── Busy                    try again later (429)
    │   ├── QueueFull · MemoryBudgetFull · TooManyStreams
    │   └── TooManyAttempts · TooManyRequests · TooManyAtOnce · GuestsWaiting · SpaceUsedUp · GuestsSpaceUsedUp
    ├── Refused                 not allowed from there (400, 403, 405, 408, 413, 426)
    │   ├── HostNotAllowed · OriginNotAllowed · MethodNotAllowed · BodyTooLarge · UpgradeRequired · NotForGuests
    │   ├── BodyTooSlow · NeighboursOnly
    │   └── LoginRequired       (401)
    │       └── WrongPassword · WrongKey
    ├── ServerStopping          the server ends before it could answer (503)
    ├── ServicePortTaken · NothingServed    several services at once (command line)
    ├── AccountsMissing         nobody could log in (start-up)
    ├── AccountsUnusable · AccountsUnwritable    the file of users and keys
    ├── ShareFailed             there is no public link
    │   ├── HelperMissing · HelperDamaged · HelperUnsupported · HelperUnusable · ShareServerSilent
    │   └── TunnelFailed · TunnelSilent · TunnelEnded
    ├── InvalidSetting          an option or environment variable can't be used (start-up)
    │   └── InvalidEndpoint     a hub's address
    ├── CatalogueInvalid        a catalogue file can't be used (start-up)
    ├── InstallFailed           YourTTS's environment can't be made
    │   ├── PythonUnsuitable · PackagesUnreachable · PackagesFailed · InstallDiskLow · InstallRunning
    │   └── ModelArchiveInvalid
    ├── StartFailed             the app did not serve its page (bench)
    ├── MeasurementFailed       what a benchmark started did not answer
    │   ├── PeerMissing · PeerNeedsCuda
    ├── Cancelled               the caller asked to stop
    ├── OutOfMemory             the machine has too little memory for it (503)
    ├── OutputFailed            a take can't be written (507)
    ├── PreferencesUnwritable   a choice can't be kept (507)
    └── EngineFailed            an engine can't start or broke (503)
        ├── ModelNotLoadable · TranscriptionFailed · PiperMissing · PiperVoiceInvalid · SpeakerServiceUnavailable
        ├── StreamTooLong
        └── ModelFolderInvalid  a file of the model's folder can't be used
            ├── ModelFileMissing · ModelConfigInvalid · WeightsUnreadable · WeightsMismatch

Codes and parameters are data: frontends translate by `code` and fill in `params`. Nobody matches message text.
"""

from __future__ import annotations

from tts_core.domain.errors.access import (
    AccountsMissing as AccountsMissing,
    AccountsUnusable as AccountsUnusable,
    AccountsUnwritable as AccountsUnwritable,
    BodyTooLarge as BodyTooLarge,
    BodyTooSlow as BodyTooSlow,
    GuestsSpaceUsedUp as GuestsSpaceUsedUp,
    GuestsWaiting as GuestsWaiting,
    HostNotAllowed as HostNotAllowed,
    InvalidAccount as InvalidAccount,
    LoginRequired as LoginRequired,
    MethodNotAllowed as MethodNotAllowed,
    NeighboursOnly as NeighboursOnly,
    NotForGuests as NotForGuests,
    OriginNotAllowed as OriginNotAllowed,
    SpaceUsedUp as SpaceUsedUp,
    TooManyAtOnce as TooManyAtOnce,
    TooManyAttempts as TooManyAttempts,
    TooManyRequests as TooManyRequests,
    UnknownKey as UnknownKey,
    UnknownUser as UnknownUser,
    UpgradeRequired as UpgradeRequired,
    UserExists as UserExists,
    WrongKey as WrongKey,
    WrongPassword as WrongPassword,
)
from tts_core.domain.errors.base import (
    Busy as Busy,
    Conflict as Conflict,
    InvalidRequest as InvalidRequest,
    NotFound as NotFound,
    Refused as Refused,
    StudioError as StudioError,
)
from tts_core.domain.errors.failures import (
    Cancelled as Cancelled,
    CatalogueInvalid as CatalogueInvalid,
    EngineFailed as EngineFailed,
    InvalidEndpoint as InvalidEndpoint,
    InvalidSetting as InvalidSetting,
    MeasurementFailed as MeasurementFailed,
    ModelConfigInvalid as ModelConfigInvalid,
    ModelFileMissing as ModelFileMissing,
    ModelFolderInvalid as ModelFolderInvalid,
    ModelNotLoadable as ModelNotLoadable,
    OutputFailed as OutputFailed,
    PeerMissing as PeerMissing,
    PeerNeedsCuda as PeerNeedsCuda,
    PiperMissing as PiperMissing,
    PiperVoiceInvalid as PiperVoiceInvalid,
    PreferencesUnwritable as PreferencesUnwritable,
    StartFailed as StartFailed,
    StreamTooLong as StreamTooLong,
    TranscriptionFailed as TranscriptionFailed,
    WeightsMismatch as WeightsMismatch,
    WeightsUnreadable as WeightsUnreadable,
)
from tts_core.domain.errors.memory import (
    OutOfMemory as OutOfMemory,
    is_out_of_memory as is_out_of_memory,
    memory_errors_typed as memory_errors_typed,
)
from tts_core.domain.errors.requests import (
    AmbiguousVoice as AmbiguousVoice,
    AudioUnreadable as AudioUnreadable,
    CloneNotSupported as CloneNotSupported,
    CodesUnreadable as CodesUnreadable,
    DeviceUnavailable as DeviceUnavailable,
    EmptyText as EmptyText,
    InstructNotSupported as InstructNotSupported,
    InstructRequired as InstructRequired,
    InvalidValue as InvalidValue,
    OutputExists as OutputExists,
    OutputUnwritable as OutputUnwritable,
    PrecisionNotSupported as PrecisionNotSupported,
    RecordingTooLong as RecordingTooLong,
    ReferenceRequired as ReferenceRequired,
    SpeedNotSupported as SpeedNotSupported,
    TextTooLong as TextTooLong,
    TranscriptMissing as TranscriptMissing,
    UnknownLanguage as UnknownLanguage,
    UnknownProvider as UnknownProvider,
    UnknownSpokenLanguage as UnknownSpokenLanguage,
    UnsupportedFormat as UnsupportedFormat,
    VoicePromptInvalid as VoicePromptInvalid,
)
from tts_core.domain.errors.serving import (
    NothingServed as NothingServed,
    ServerStopping as ServerStopping,
    ServicePortTaken as ServicePortTaken,
    UnknownService as UnknownService,
)
from tts_core.domain.errors.sharing import (
    HelperDamaged as HelperDamaged,
    HelperMissing as HelperMissing,
    HelperUnsupported as HelperUnsupported,
    HelperUnusable as HelperUnusable,
    ShareFailed as ShareFailed,
    ShareServerSilent as ShareServerSilent,
    TunnelEnded as TunnelEnded,
    TunnelFailed as TunnelFailed,
    TunnelSilent as TunnelSilent,
)
from tts_core.domain.errors.states import (
    ConsentMissing as ConsentMissing,
    EmbedderMissing as EmbedderMissing,
    JobNotRetryable as JobNotRetryable,
    MemoryBudgetFull as MemoryBudgetFull,
    ModelBeingChanged as ModelBeingChanged,
    ModelInMemory as ModelInMemory,
    ModelInUse as ModelInUse,
    ModelNotLoaded as ModelNotLoaded,
    ModelNotReady as ModelNotReady,
    QueueFull as QueueFull,
    TooManyStreams as TooManyStreams,
    TranscriberMissing as TranscriberMissing,
    UnknownFile as UnknownFile,
    UnknownJob as UnknownJob,
    UnknownModelKey as UnknownModelKey,
    UnknownTake as UnknownTake,
    UnknownVoice as UnknownVoice,
    VoiceNotReady as VoiceNotReady,
)
from tts_core.domain.errors.yourtts import (
    InstallDiskLow as InstallDiskLow,
    InstallFailed as InstallFailed,
    InstallRunning as InstallRunning,
    LanguageNotServed as LanguageNotServed,
    ModelArchiveInvalid as ModelArchiveInvalid,
    PackagesFailed as PackagesFailed,
    PackagesUnreachable as PackagesUnreachable,
    PythonUnsuitable as PythonUnsuitable,
    SpeakerServiceUnavailable as SpeakerServiceUnavailable,
    SpeakerVectorMisfit as SpeakerVectorMisfit,
)

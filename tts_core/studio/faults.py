"""Errors of projects: their files, their edits, and the files that are read into them."""

from __future__ import annotations

from tts_core.domain.errors import Conflict, InvalidRequest, NotFound, StudioError


class UnknownProject(NotFound):
    code = "project_not_found"
    template = "There is no project {project!r}. List the projects to see which there are."


class UnknownChapter(NotFound):
    code = "chapter_not_found"
    template = "The project has no chapter {chapter!r}. Load it again: another page may have changed it."


class UnknownSegment(NotFound):
    code = "segment_not_found"
    template = "The project has no segment {segment!r}. Load it again: another page may have changed it."


class UnknownSegmentTake(NotFound):
    code = "take_not_found"
    template = "The segment has no take {take!r}."


class EditConflict(Conflict):
    code = "edit_conflict"
    template = "This was changed somewhere else in the meantime. Load it again, then repeat your change."


class ProjectInUse(Conflict):
    code = "project_in_use"
    template = "Another program has the project {title!r} open. Close it there, or change the project there."


class ProjectBusy(Conflict):
    code = "project_busy"
    template = "The project {title!r} is being made or exported. Stop that first."


class ProjectNewer(Conflict):
    code = "project_newer"
    template = "A newer version of TTS Studio has written the project {title!r}. It can be read here, but not changed."


class ProjectDamaged(Conflict):
    code = "project_damaged"
    template = "The project {project!r} can't be read any more. Its files are kept as they are in {folder}."


class ProjectUnwritable(StudioError):
    code = "project_unwritable"
    template = "The project in {folder} can't be written: {reason}. Nothing was changed."


class ProjectRestored(StudioError):
    """A note, not a failure: the project opens with it."""

    code = "project_restored"
    template = "A file of the project {title!r} was damaged. Its last revision was loaded; look whether all is there."


class ChapterRestored(StudioError):
    """A note, not a failure: the project opens with it."""

    code = "chapter_restored"
    template = (
        "The file of the chapter {chapter!r} was damaged. Its last revision was loaded; look whether all is there."
    )


class ChapterLost(StudioError):
    """A note, not a failure: the project opens with it."""

    code = "chapter_lost"
    template = "The file of the chapter {chapter!r} can't be read. It is kept as it is; the chapter is empty for now."


class NothingToUndo(Conflict):
    code = "nothing_to_undo"
    template = "There is no change left to take back."


class NothingToRedo(Conflict):
    code = "nothing_to_redo"
    template = "There is no change that was taken back."


class TooManyProjects(InvalidRequest):
    code = "too_many_projects"
    template = "There are {limit} projects already. Delete one, or raise {variable}."


class TooManySegments(InvalidRequest):
    code = "too_many_segments"
    template = "The project would have {count} segments; at most {limit} are kept in one. Make several projects of it."


class ProjectTooLong(InvalidRequest):
    code = "project_too_long"
    template = (
        "The project would have {count} characters; at most {limit} are kept in one. Make several projects of it."
    )


class SplitOutside(InvalidRequest):
    code = "split_outside"
    template = "A segment is split inside its text: both parts need something to say."


class NothingToMerge(InvalidRequest):
    code = "nothing_to_merge"
    template = "There is no next segment in this chapter to merge with."


class SearchEmpty(InvalidRequest):
    code = "search_empty"
    template = "Type the text to look for."


class TextUnreadable(InvalidRequest):
    code = "text_unreadable"
    template = "{file} can't be read as text: {reason}. Save it as UTF-8 and import it again."


class FileNotRead(InvalidRequest):
    code = "import_unsupported"
    template = "Files like {file} are not read into projects. Choose one of: {known}."


class NothingToImport(InvalidRequest):
    code = "nothing_to_import"
    template = "There is no text to speak in {file}."


class RunInProgress(Conflict):
    code = "run_in_progress"
    template = "The project {title!r} is being made already. Stop that first, or wait for its end."


class DesignNotLocked(InvalidRequest):
    code = "design_not_locked"
    template = (
        "The voice {voice!r} is designed anew for each segment, and would be another person every time. Lock it first: "
        "keep one design as a voice, and choose that."
    )


class VoiceNeedsRecording(InvalidRequest):
    code = "voice_needs_recording"
    template = "The voice {voice!r} imitates a recording. Save the recording as a voice, and choose that."


class SegmentsMissing(Conflict):
    code = "segments_missing"
    template = "{count} segments have no take yet. Make them first, or leave them out of the file."


class NothingToExport(Conflict):
    code = "nothing_to_export"
    template = "None of these chapters has a take yet. Make some first."


class UnknownExport(NotFound):
    code = "export_not_found"
    template = "There is no export {export!r}. It may have been cleared."

"""Errors of the store's use cases. An error of the disk is a `download_faults.DiskFault`."""

from __future__ import annotations

from tts_core.domain.errors import Conflict, InvalidRequest, NotFound
from tts_core.models.faults import ModelInUse


class ModelDownloading(ModelInUse):
    code = "model_downloading"
    template = "The model {key!r} is being downloaded. Cancel the download or wait for its end."


class DownloadsRunning(Conflict):
    code = "downloads_running"
    template = "Models are being downloaded into {folder} (process {pid}). Pause the downloads, then try again."


class StoreBusy(Conflict):
    code = "store_busy"
    template = "Files of models are being moved, copied or removed. Try again when that has ended."


class ModelNotThere(NotFound):
    code = "model_not_there"
    template = "Nothing of the model {key!r} lies in {folder}."


class PlaceTaken(Conflict):
    code = "place_taken"
    template = "{path} has other content already and is not replaced. Move it away or choose another folder."


class SourceDamaged(Conflict):
    code = "source_damaged"
    template = "{path} changed while it was copied, or the disk does not keep what is written to it: check both disks."


class MoveUnfinished(Conflict):
    code = "move_unfinished"
    template = "A move of the models folder to {target} has not finished. Finish it first: models move {target}"


class FolderUnusable(InvalidRequest):
    code = "folder_unusable"
    template = "The folder {folder} can't be used. Choose another one."


class FolderNotThere(FolderUnusable):
    code = "folder_not_there"
    template = "There is no folder {folder}."


class NoFolder(FolderUnusable):
    code = "no_folder"
    template = "{folder} is no folder. Choose another place."


class NoFullPath(FolderUnusable):
    code = "no_full_path"
    template = "Write the full path of a folder, from its beginning, as {example}."


class ModelsThereAlready(FolderUnusable):
    code = "models_there_already"
    template = "The models lie in {folder} already."


class InsideModels(FolderUnusable):
    code = "inside_models"
    template = "{folder} lies inside the present models folder. Choose a place outside it."


class ModelsInside(FolderUnusable):
    code = "models_inside"
    template = "The present models folder lies inside {folder}. Choose another place."


class ModelItselfThere(FolderUnusable):
    code = "model_itself_there"
    template = "The model itself lies in {folder}. Choose another place."

# Windows: makes the environment on the first run, then starts the studio and its services. Ctrl-C ends them all.
#
#     powershell -ExecutionPolicy Bypass -File deploy\start.ps1
#     powershell -ExecutionPolicy Bypass -File deploy\start.ps1 studio           # the studio alone
#     powershell -ExecutionPolicy Bypass -File deploy\start.ps1 -Wsl --gpu       # in WSL, with its graphics card
#
# Further words go to `python -m tts_core serve-all`. What runs in WSL is reached as 127.0.0.1, ports 7860, 5004 and
# 5003; `netstat -an | findstr :5004` shows whether it listens.

$ErrorActionPreference = "Stop"
$rest = @($args)
Set-Location (Join-Path $PSScriptRoot "..")

if ($rest.Count -gt 0 -and $rest[0] -eq "-Wsl") {
    $rest = @($rest | Select-Object -Skip 1)
    # wsl.exe starts in the folder that we are in; arguments pass one by one. Windows has another environment there.
    & wsl.exe --exec env TTS_STUDIO_VENV=.venv-wsl bash deploy/start.sh @rest
    exit $LASTEXITCODE
}

$venv = if ($env:TTS_STUDIO_VENV) { $env:TTS_STUDIO_VENV } else { ".venv" }
$python = Join-Path $venv "Scripts\python.exe"
$stamp = Join-Path $venv ".installed"

if (-not (Test-Path $python)) {
    $launcher = @(if (Get-Command py -ErrorAction SilentlyContinue) { "py", "-3" } else { "python" })
    $head, $tail = $launcher[0], @($launcher | Select-Object -Skip 1)
    & $head @tail -c "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))"
    if ($LASTEXITCODE -ne 0) { Write-Error "Python 3.10 to 3.13 is needed: https://www.python.org/downloads/" }
    & $head @tail -m venv $venv
    if ($LASTEXITCODE -ne 0) { Write-Error "The virtual environment $venv could not be made." }
}

$isOld = -not (Test-Path $stamp) -or
    (Get-Item requirements.txt).LastWriteTimeUtc -gt (Get-Item $stamp).LastWriteTimeUtc
if ($isOld) {
    & $python -m pip install --disable-pip-version-check -r requirements.txt
    if ($LASTEXITCODE -ne 0) { Write-Error "The packages could not be installed; run this again to go on." }
    New-Item -ItemType File -Force $stamp | Out-Null
    (Get-Item $stamp).LastWriteTimeUtc = [DateTime]::UtcNow
}

& $python -m tts_core serve-all @rest
exit $LASTEXITCODE

@echo off
rem test: see packaging/test. Not yet run on Windows.
setlocal
where py >nul 2>nul && (set "PYTHON=py -3") || (set "PYTHON=python")
if defined WORKBENCH_PYTHON set PYTHON="%WORKBENCH_PYTHON%"
%PYTHON% -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>nul
if errorlevel 1 (
    echo Model Workbench needs Python 3.11 or newer. Install it from python.org or the Microsoft Store. 1>&2
    exit /b 1
)
%PYTHON% "%~dp0setup_env.py" test %*
exit /b %ERRORLEVEL%

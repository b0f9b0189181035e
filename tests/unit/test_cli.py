"""`python -m course_lib`: the tables it prints and what it says to a wrong argument."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from course_lib.__main__ import main
from course_lib.models import list_models


def test_models_lists_every_network_with_its_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *list_models()]
    v3 = next(line for line in lines if line.split()[0] == "inception_v3")
    cells = v3.split()[1:]
    assert cells[:8] == ["3x299x299", "1000", "23,834,568", "5.713", "1311", "75x75", "1", "(+3,326,696)"]


def test_describe_prints_a_row_a_layer_and_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "inception_v3", "--input", "3x299x299"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^mixed_6e\.7x7dbl\.4 +conv 1x7 192 +192x17x17 +258,432 +74,575,872", out, re.MULTILINE)
    assert out.splitlines()[-1] == (
        "inception_v3 on 3x299x299: 23,834,568 parameters, 5,713,216,096 MACs, 11,683,624 activations, receptive field "
        "1311x1311 before the global pool"
    )


def test_describe_takes_options_classes_and_heads(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--aux", "--classes", "5", "--input", "1x28x28", "--option", "width=32", "--option", "bn_aux=False"]
    assert main(["describe", "small_inception", *arguments]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^aux\.head\.fc +linear 5 ", out, re.MULTILINE)
    assert re.search(r"^conv_1a_3x3 +conv 3x3 32 +32x28x28 +352 ", out, re.MULTILINE)


def test_describe_defaults_to_what_the_network_is_made_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "googlenet_cifar"]) == 0
    assert "googlenet_cifar on 3x32x32: 5,979,178 parameters" in capsys.readouterr().out


def test_an_option_may_be_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "googlenet_bn", "--option", "five_by_five=3x3"]) == 0
    assert "6,624,904 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["inceptionv3"],
            "there is no network 'inceptionv3'; did you mean 'inception_v3'? The networks are googlenet,",
        ),
        (["inception_v3", "--input", "3x75x74"], "inception_v3 takes images of at least 75x75 pixels; got 3x75x74."),
        (
            ["inception_v3", "--aux", "--input", "3x298x299"],
            "inception_v3 with its heads takes images of at least 299x299 pixels; got 3x298x299.",
        ),
        (["inception_v4", "--aux"], "inception_v4 has no auxiliary heads, so use aux=False; googlenet,"),
        (["inception_v3", "--classes", "0"], "num_classes must be a whole number of at least 1; got 0."),
        (["inception_v4", "--option", "width=3"], "inception_v4 has no option 'width'; its options are dropout."),
        (["inception_v3", "--option", "stem=5x5"], "option stem must be one of '3x3', '7x7'; got '5x5'."),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {sentence}")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inception_v3", "--input", "299"], "an input is CHANNELSxHEIGHTxWIDTH, such as 3x299x299; got '299'"),
        (["inception_v3", "--input", "3x0x9"], "an input is CHANNELSxHEIGHTxWIDTH, such as 3x299x299; got '3x0x9'"),
        (["small_inception", "--option", "width"], "an option is NAME=VALUE, such as width=32; got 'width'"),
    ],
)
def test_a_malformed_argument_is_named(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["describe", *arguments])
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["models", "--help"], ["describe", "--help"]])
def test_help_names_the_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    out = capsys.readouterr().out
    expected = {"--help": ["models", "describe"], "models": ["MAC"], "describe": ["--input", "--aux", "--option"]}
    assert all(word in out for word in expected[arguments[0]])


def test_as_a_program_without_loading_torch_and_into_a_closed_pipe() -> None:
    code = "import sys; from course_lib.__main__ import main; main(['models']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    command = f"{shlex.quote(sys.executable)} -m course_lib describe inception_resnet_v2 | head -n 1"
    piped = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (piped.returncode, piped.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8, 1.2, 1.8])
def test_ctrl_c_at_any_time_is_one_line_at_most(seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "course_lib", "train", "small_inception", "--out", "/proc/none", "--device", "none"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT, 2), shown  # 2: it had ended before
    assert len(shown.splitlines()) <= 1, shown


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="has other signals")
def test_usr1_before_there_is_a_run_ends_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-m", "course_lib", "models"], stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "inception_v3" in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_lacks_a_letter_shows_another(encoding: str) -> None:
    code = (
        "import sys; from course_lib import __main__ as m; m._run = lambda _: print('猫 cat') or 0; sys.exit(m.main())"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "? cat\n"), done.stderr

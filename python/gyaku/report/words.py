"""Words of a report, in English and Japanese."""

from __future__ import annotations

__all__ = ["NAMES", "WORDS", "named"]

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Training of {name}",
        "untitled": "Report of a training",
        "begun": "begun {begun}",
        "after": "after {epochs} epochs",
        "after_one": "after 1 epoch",
        "took": "{seconds} of training",
        "stopped": "ended early: {reason}",
        "settings": "Settings",
        "no_settings": "The history holds no settings.",
        "curves": "Course of the training",
        "no_epochs": "No epoch was finished.",
        "epoch": "epoch",
        "log": "{name} (log scale)",
        "training": "training",
        "validation": "validation",
        "seconds": "seconds",
        "values": "Values of each epoch",
        "model": "Model",
        "parameters": "{count} parameters of {dtype}, inputs {shape}",
        "test": "Test",
        "on_samples": "On {count} samples:",
        "confusions": "Confusion matrix",
        "confusions_note": "Rows: true classes. Columns: predicted classes.",
        "most_confused": "Most frequent confusions",
        "no_confusions": "All samples are right.",
        "true": "true",
        "predicted": "predicted",
        "count": "samples",
        "is_taken_for": "{true} taken for {found}",
        "wrong": "Samples that are wrong",
        "wrong_note": "{wrong} of {count} samples are wrong; the clearest errors come first:"
        " true class → prediction.",
        "sample": "sample {number}",
        "scatter": "Prediction against target",
        "scatter_note": "A point for each sample; perfect predictions lie on the line.",
        "residuals": "Residuals",
        "residuals_note": "Distribution of prediction − target.",
        "residual": "prediction − target",
        "output": "output {number}",
        "rmse": "root mean squared error",
        "mae": "mean absolute error",
        "r2": "R²",
        "no_pictures": "For outputs of shape {shape} there is no further picture.",
        "findings": "Findings of the doctor",
        "finding": "finding",
        "layer": "layer",
        "observation": "observation",
        "remedy": "remedy",
        "nothing_found": "Nothing found.",
        "environment": "Environment",
        "yes": "yes",
        "no": "no",
    },
    "ja": {
        "title": "{name} の学習",
        "untitled": "学習の記録",
        "begun": "{begun} に開始",
        "after": "{epochs} エポック後",
        "after_one": "1 エポック後",
        "took": "学習時間 {seconds}",
        "stopped": "途中で終了：{reason}",
        "settings": "設定",
        "no_settings": "この履歴に設定はありません。",
        "curves": "学習の経過",
        "no_epochs": "終わったエポックはありません。",
        "epoch": "エポック",
        "log": "{name}（対数目盛）",
        "training": "訓練",
        "validation": "検証",
        "seconds": "秒",
        "values": "エポックごとの値",
        "model": "モデル",
        "parameters": "パラメータ {count} 個（{dtype}）、入力 {shape}",
        "test": "テスト",
        "on_samples": "{count} サンプルでの結果：",
        "confusions": "混同行列",
        "confusions_note": "行は正解のクラス、列は予測したクラスです。",
        "most_confused": "多かった取り違え",
        "no_confusions": "すべてのサンプルが正解です。",
        "true": "正解",
        "predicted": "予測",
        "count": "サンプル数",
        "is_taken_for": "{true} を {found} と予測",
        "wrong": "誤ったサンプル",
        "wrong_note": "{count} サンプルのうち {wrong} 個が誤りです。"
        "はっきり誤ったものから順に、正解 → 予測を示します。",
        "sample": "サンプル {number}",
        "scatter": "目標と予測",
        "scatter_note": "1 点が 1 サンプルです。正しい予測は直線の上にあります。",
        "residuals": "残差",
        "residuals_note": "予測 − 目標の分布です。",
        "residual": "予測 − 目標",
        "output": "出力 {number}",
        "rmse": "二乗平均平方根誤差",
        "mae": "平均絶対誤差",
        "r2": "決定係数 R²",
        "no_pictures": "形 {shape} の出力には、これ以上の図はありません。",
        "findings": "ドクターの所見",
        "finding": "所見",
        "layer": "層",
        "observation": "観察",
        "remedy": "対策",
        "nothing_found": "所見なし。",
        "environment": "実行環境",
        "yes": "はい",
        "no": "いいえ",
    },
}

NAMES: dict[str, tuple[str, str]] = {
    "optimizer": ("optimizer", "最適化手法"),
    "loss": ("loss", "損失"),
    "epochs": ("epochs", "エポック数"),
    "batch_size": ("batch size", "バッチサイズ"),
    "seed": ("seed", "シード"),
    "shuffle": ("shuffled", "順序を混ぜる"),
    "dtype": ("dtype", "データ型"),
    "threads": ("threads, at most", "スレッド数（最大）"),
    "begun": ("begun", "開始"),
    "samples": ("samples in an epoch", "1 エポックのサンプル数"),
    "validation_samples": ("samples for validation", "検証データのサンプル数"),
    "loss_weights": ("weights of the losses", "損失の重み"),
    "steps_per_epoch": ("steps in an epoch", "1 エポックのステップ数"),
    "overfit_batches": ("batches to overfit", "過学習させるバッチ数"),
    "max_time": ("longest time in seconds", "最長時間（秒）"),
    "by_length": ("batches by length", "長さごとのバッチ"),
    "augment": ("augmentation", "データ拡張"),
    "clip_norm": ("largest norm of the gradients", "勾配のノルムの上限"),
    "clip_value": ("largest gradient", "勾配の要素の上限"),
    "accumulate": ("batches for an update", "1 回の更新のバッチ数"),
    "processes": ("processes", "プロセス数"),
    "accuracy": ("accuracy", "正解率"),
    "learning_rate": ("learning rate", "学習係数"),
    "outputs": ("outputs", "出力"),
    "parameters": ("parameters", "パラメータ数"),
    "work a sample": ("work a sample", "1 サンプルの計算量"),
    "memory a sample": ("memory a sample", "1 サンプルのメモリ"),
    "layer": ("layer", "層"),
    "inputs": ("inputs", "入力"),
    "system": ("system", "OS"),
    "processor": ("processor", "CPU"),
    "isa": ("instruction set", "命令セット"),
    "written": ("report written", "記録の作成"),
    "interrupted": ("interrupted", "中断"),
    "stopped in the lab": ("stopped in the lab", "ラボで停止"),
    "left the lab": ("left the lab", "ラボから離脱"),
    "its process does not answer": ("its process does not answer", "プロセスの応答なし"),
}
"""Names of settings, metrics, columns and ends; others stay as they are."""


def named(name: str, lang: str) -> str:
    """Return the name of a setting, metric, column or end in a language.

    Parameters
    ----------
    name : str
        The name in the history.
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    str
        The name; that of a validation begins with the word for it.

    Examples
    --------
    >>> named("val_accuracy", "en"), named("val_accuracy", "ja"), named("my_metric", "ja")
    ('validation accuracy', '検証の正解率', 'my_metric')
    """
    if name.startswith("val_"):
        rest = named(name.removeprefix("val_"), lang)
        return f"検証の{rest}" if lang == "ja" else f"validation {rest}"
    known = NAMES.get(name)
    return name if known is None else known[lang == "ja"]

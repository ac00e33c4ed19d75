"""Words of the findings: title, sentence and remedy of each kind, in English and Japanese."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["WORDS", "Wording"]


class Wording(NamedTuple):
    """Words of a kind of finding in one language; the braces are filled with the facts.

    Parameters
    ----------
    title : str
        Name of the kind.
    sentence : str
        The finding.
    remedy : str
        The remedy.
    """

    title: str
    sentence: str
    remedy: str


WORDS = {
    "byte_inputs": {
        "en": Wording(
            "bytes as inputs",
            "x holds bytes up to {value:.0f}, which are taken at their value",
            "put gyaku.Rescaling(1 / 255) in front of the first layer, or give x / 255",
        ),
        "ja": Wording(
            "バイトの入力",
            "x は最大 {value:.0f} のバイトで、その値のまま使われます",
            "最初の層の前に gyaku.Rescaling(1 / 255) を置くか、x / 255 を渡してください",
        ),
    },
    "unscaled_inputs": {
        "en": Wording(
            "inputs not scaled",
            "{name} is not scaled: the root mean square of a feature is {value:.3g}, and networks"
            " train well at about 1",
            "give (x - mean) / standard deviation, or put BatchNorm or Rescaling first",
        ),
        "ja": Wording(
            "スケールの合わない入力",
            "{name} のスケールが合っていません。ある特徴量の二乗平均平方根が {value:.3g} です"
            "(1 ほどがよく学習できます)",
            "(x - 平均) / 標準偏差 を渡すか、最初に BatchNorm か Rescaling を置いてください",
        ),
    },
    "channels_first": {
        "en": Wording(
            "channels in front",
            "{part} takes samples of shape {shape} for {height} x {width} pixels of {channels}"
            " channels",
            "if their channels come first, x.transpose(0, 2, 3, 1) puts them last",
        ),
        "ja": Wording(
            "先頭のチャンネル",
            "{part} は形 {shape} のサンプルを、{height} x {width} 画素、{channels} チャンネルと"
            "みなします",
            "チャンネルが先頭にあるときは、x.transpose(0, 2, 3, 1) で最後に移してください",
        ),
    },
    "byte_targets": {
        "en": Wording(
            "bytes as targets",
            "y holds bytes up to {value:.0f}, which are taken at their value",
            "for outputs from 0 to 1 give y / 255",
        ),
        "ja": Wording(
            "バイトの目標",
            "y は最大 {value:.0f} のバイトで、その値のまま使われます",
            "0 から 1 の出力に合わせるには y / 255 を渡してください",
        ),
    },
    "unscaled_targets": {
        "en": Wording(
            "targets not scaled",
            "{name} is not scaled: its root mean square is {value:.3g}, and the outputs of a new"
            " network are about 1",
            "give (y - mean) / standard deviation, and undo it in the predictions",
        ),
        "ja": Wording(
            "スケールの合わない目標",
            "{name} のスケールが合っていません。二乗平均平方根が {value:.3g} です"
            "(学習前のネットワークの出力は 1 ほどです)",
            "(y - 平均) / 標準偏差 を渡し、予測のあとで元に戻してください",
        ),
    },
    "unreachable_targets": {
        "en": Wording(
            "targets out of reach",
            "{value:.0%} of the targets lie beyond the outputs of {op}, {low:g} to {high:g}",
            "scale the targets, or end the model without an activation",
        ),
        "ja": Wording(
            "届かない目標",
            "目標の {value:.0%} が、{op} の出力の範囲 {low:g} から {high:g} の外にあります",
            "目標をスケーリングするか、モデルの最後の活性化関数を外してください",
        ),
    },
    "unbalanced_labels": {
        "en": Wording(
            "unbalanced labels",
            "{value:.0%} of the labels are of class {label}, so that this accuracy needs no"
            " learning",
            "measure BalancedAccuracy or F1, and give fit class_weight='balanced'",
        ),
        "ja": Wording(
            "偏ったラベル",
            "ラベルの {value:.0%} がクラス {label} なので、学習しなくてもこの正解率になります",
            "BalancedAccuracy か F1 で評価し、fit に class_weight='balanced' を与えてください",
        ),
    },
    "doubled_softmax": {
        "en": Wording(
            "softmax twice",
            "the model ends with a softmax and SoftmaxCrossEntropy adds another, so it will learn"
            " slowly",
            "leave the model's out, or use CrossEntropy",
        ),
        "ja": Wording(
            "二重のソフトマックス",
            "モデルの最後のソフトマックスに SoftmaxCrossEntropy がもう 1 つ重なり、"
            "学習が遅くなります",
            "モデルのソフトマックスを外すか、CrossEntropy を使ってください",
        ),
    },
    "bounded_logits": {
        "en": Wording(
            "logits behind an activation",
            "SoftmaxCrossEntropy takes any number as a logit, but the model ends with an activation"
            " that bounds them, so that it can hardly be certain",
            "end the model without an activation",
        ),
        "ja": Wording(
            "活性化関数を通したロジット",
            "SoftmaxCrossEntropy はロジットとして任意の実数を受け取りますが、モデルの最後の活性化"
            "関数がその範囲を制限するので、確信度が上がりません",
            "最後の層の活性化関数を外してください",
        ),
    },
    "doubled_sigmoid": {
        "en": Wording(
            "sigmoid twice",
            "the model ends with a sigmoid and SigmoidCrossEntropy adds another, so it will learn"
            " slowly",
            "leave the model's out, or use BinaryCrossEntropy",
        ),
        "ja": Wording(
            "二重のシグモイド",
            "モデルの最後のシグモイドに SigmoidCrossEntropy がもう 1 つ重なり、学習が遅くなります",
            "モデルのシグモイドを外すか、BinaryCrossEntropy を使ってください",
        ),
    },
    "sigmoid_with_cross_entropy": {
        "en": Wording(
            "sigmoid with categorical cross-entropy",
            "the model ends with a sigmoid and CrossEntropy rewards large outputs alone, so all"
            " will approach 1",
            "for several labels a sample use BinaryCrossEntropy, for one class end the model with"
            " Softmax",
        ),
        "ja": Wording(
            "シグモイドと多クラス交差エントロピー",
            "モデルの最後がシグモイドで、CrossEntropy は大きい出力だけをよいとするので、"
            "すべての出力が 1 に近づきます",
            "1 サンプルにラベルが複数あるなら BinaryCrossEntropy を使い、クラスが 1 つなら最後を"
            " Softmax にしてください",
        ),
    },
    "shuffled_states": {
        "en": Wording(
            "states of shuffled samples",
            "{part} goes on where the batch before ended, but the samples are shuffled",
            "give shuffle=False",
        ),
        "ja": Wording(
            "順序を混ぜたサンプルの状態",
            "{part} は前のバッチの続きから計算しますが、サンプルの順序が混ぜられています",
            "shuffle=False を指定してください",
        ),
    },
    "not_probabilities": {
        "en": Wording(
            "outputs that are no probabilities",
            "{loss} takes probabilities, but an output is {value:.3g}",
            "end the model with {ending}, or use {instead}",
        ),
        "ja": Wording(
            "確率でない出力",
            "{loss} は確率を受け取りますが、{value:.3g} という出力があります",
            "モデルの最後を {ending} にするか、{instead} を使ってください",
        ),
    },
    "not_finite": {
        "en": Wording(
            "not finite",
            "the output of {layer} is NaN or infinite",
            "use a smaller learning rate, or inputs of smaller magnitude",
        ),
        "ja": Wording(
            "有限でない値",
            "{layer} の出力に NaN か無限大があります",
            "学習係数を小さくするか、入力を小さくスケーリングしてください",
        ),
    },
    "loss_not_finite": {
        "en": Wording(
            "loss not finite",
            "the loss is NaN or infinite, and the outputs are finite",
            "look at the targets and at the function that computes the loss",
        ),
        "ja": Wording(
            "有限でない損失",
            "出力は有限なのに、損失が NaN か無限大です",
            "目標と、損失を計算する関数を調べてください",
        ),
    },
    "dead_units": {
        "en": Wording(
            "dead units",
            "{dead} of {units} units of {layer} are 0 for all {samples} samples, so that they"
            " cannot learn",
            "use a smaller learning rate, weight_init='he', or LeakyReLU",
        ),
        "ja": Wording(
            "死んだユニット",
            "{layer} のユニット {units} 個のうち {dead} 個が {samples} サンプルすべてで 0 で、"
            "学習できません",
            "学習係数を小さくするか、weight_init='he' か LeakyReLU を使ってください",
        ),
    },
    "saturated_units": {
        "en": Wording(
            "saturation",
            "{value:.0%} of the outputs of {layer} are saturated, where {op} has hardly any slope",
            "use smaller initial weights such as 'xavier', BatchNorm before {op}, or ReLU",
        ),
        "ja": Wording(
            "飽和",
            "{layer} の出力の {value:.0%} が飽和していて、そこでは {op} の傾きがほとんどありません",
            "'xavier' のように初期の重みを小さくするか、{op} の前に BatchNorm を置くか、ReLU を"
            "使ってください",
        ),
    },
    "vanishing_gradients": {
        "en": Wording(
            "vanishing gradients",
            "the gradient of {layer} is {value:.1e} times that of {largest}",
            "use ReLU, BatchNorm, Residual, or gyaku.pretrain",
        ),
        "ja": Wording(
            "勾配消失",
            "{layer} の勾配は {largest} の勾配の {value:.1e} 倍しかありません",
            "ReLU、BatchNorm、Residual、gyaku.pretrain のどれかを使ってください",
        ),
    },
    "exploding_gradients": {
        "en": Wording(
            "exploding gradients",
            "the gradient of {layer} is {value:.3g} times as large as its weights",
            "use smaller initial weights such as 'he', BatchNorm, or clip the gradients",
        ),
        "ja": Wording(
            "勾配爆発",
            "{layer} の勾配が重みの {value:.3g} 倍もあります",
            "'he' のように初期の重みを小さくするか、BatchNorm を使うか、"
            "勾配をクリッピングしてください",
        ),
    },
    "large_updates": {
        "en": Wording(
            "updates too large",
            "a step changes the weights of {layer} by {value:.3g} times their size; about 0.001 is"
            " usual",
            "use a smaller learning rate, now {rate:.3g}",
        ),
        "ja": Wording(
            "大きすぎる更新",
            "1 ステップで {layer} の重みがその大きさの {value:.3g} 倍変わります"
            "(0.001 ほどが普通です)",
            "学習係数を今の {rate:.3g} より小さくしてください",
        ),
    },
    "small_updates": {
        "en": Wording(
            "updates too small",
            "a step changes the weights by at most {value:.1e} times their size; about 0.001 is"
            " usual",
            "use a larger learning rate, now {rate:.3g}",
        ),
        "ja": Wording(
            "小さすぎる更新",
            "1 ステップで重みは大きさの {value:.1e} 倍以下しか変わりません(0.001 ほどが普通です)",
            "学習係数を今の {rate:.3g} より大きくしてください",
        ),
    },
    "rate_too_high": {
        "en": Wording(
            "learning rate too high",
            "the loss does not settle: it rose in {value:.0f} of {epochs} epochs and is now"
            " {loss:.3g}",
            "use a smaller learning rate, for example a tenth of it",
        ),
        "ja": Wording(
            "高すぎる学習係数",
            "損失が収束しません。{epochs} エポックのうち {value:.0f} エポックで増え、"
            "今は {loss:.3g} です",
            "学習係数を、たとえば 10 分の 1 に小さくしてください",
        ),
    },
    "rate_too_low": {
        "en": Wording(
            "learning rate too low",
            "the loss fell by only {value:.1%} in {epochs} epochs, and a step changes the weights"
            " by {update:.1e} times their size",
            "use a larger learning rate, for example ten times as large",
        ),
        "ja": Wording(
            "低すぎる学習係数",
            "損失が {epochs} エポックで {value:.1%} しか減らず、"
            "1 ステップで重みは大きさの {update:.1e} 倍しか変わりません",
            "学習係数を、たとえば 10 倍に大きくしてください",
        ),
    },
    "over_fitting": {
        "en": Wording(
            "over-fitting",
            "the validation loss is {value:.0%} above its best, that of epoch {epoch}, while the"
            " training loss fell on",
            "stop there with gyaku.EarlyStopping, or use Dropout, weight decay or more data",
        ),
        "ja": Wording(
            "過学習",
            "学習の損失は減り続けていますが、検証の損失はエポック {epoch} の最良値より"
            " {value:.0%} 大きくなっています",
            "gyaku.EarlyStopping でそこで止めるか、Dropout、荷重減衰、"
            "より多くのデータを使ってください",
        ),
    },
}

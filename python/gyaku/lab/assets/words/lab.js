export const en = {
  "skip": "Skip to the page",
  "pages": "Pages",
  "tab-draw": "Draw a digit",
  "tab-playground": "Playground",
  "tab-watch": "Watch a training",
  "dark": "Dark",
  "light": "Light",
  "gone": "The lab has ended: start it again in the terminal, and open its new link."
};
export const ja = {
  "skip": "本文へ移動",
  "pages": "ページ",
  "tab-draw": "数字を描く",
  "tab-playground": "プレイグラウンド",
  "tab-watch": "学習を見る",
  "dark": "暗い配色",
  "light": "明るい配色",
  "gone": "ラボは終了しました。端末でもう一度起動し、新しいリンクを開いてください。"
};
